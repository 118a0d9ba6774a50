#include "Internal.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define KEYS 3

struct ticket_key {
    unsigned char name[16];
    unsigned char cipher[32];
    unsigned char mac[32];
};

// One table for all threads: handshakes read it, once an hour somebody writes.
struct tollgate_tls_tickets {
    pthread_rwlock_t lock;
    struct ticket_key keys[KEYS];
    int count;
};

struct tollgate_tls_tickets *tollgate_tls_tickets_new(void) {
    struct tollgate_tls_tickets *tickets = calloc(1, sizeof *tickets);
    if (tickets == NULL) return NULL;
    if (pthread_rwlock_init(&tickets->lock, NULL) != 0) {
        free(tickets);
        return NULL;
    }
    if (!tollgate_tls_tickets_rotate(tickets)) {
        tollgate_tls_tickets_free(tickets);
        return NULL;
    }
    return tickets;
}

int tollgate_tls_tickets_rotate(struct tollgate_tls_tickets *tickets) {
    struct ticket_key made;
    if (RAND_bytes(made.name, sizeof made.name) != 1 || RAND_priv_bytes(made.cipher, sizeof made.cipher) != 1 ||
        RAND_priv_bytes(made.mac, sizeof made.mac) != 1)
        return 0;
    pthread_rwlock_wrlock(&tickets->lock);
    memmove(&tickets->keys[1], &tickets->keys[0], (KEYS - 1) * sizeof made);
    tickets->keys[0] = made;
    if (tickets->count < KEYS) tickets->count++;
    pthread_rwlock_unlock(&tickets->lock);
    OPENSSL_cleanse(&made, sizeof made);
    return 1;
}

void tollgate_tls_tickets_free(struct tollgate_tls_tickets *tickets) {
    pthread_rwlock_destroy(&tickets->lock);
    OPENSSL_cleanse(tickets->keys, sizeof tickets->keys);
    free(tickets);
}

// SSL_CTX_set_tlsext_ticket_key_evp_cb(3): 1 for a key, 2 for one that is to be replaced, 0 for none, -1 for a failure.
static int ticket_key(SSL *ssl, unsigned char name[16], unsigned char iv[EVP_MAX_IV_LENGTH], EVP_CIPHER_CTX *cipher,
                      EVP_MAC_CTX *mac, int encrypts) {
    struct tollgate_tls_context *context = tollgate_tls_context_of(SSL_get_SSL_CTX(ssl));
    if (context == NULL || context->tickets == NULL) return 0;
    struct ticket_key key;
    int index = 0;
    pthread_rwlock_rdlock(&context->tickets->lock);
    int count = context->tickets->count;
    if (!encrypts)
        while (index < count && memcmp(name, context->tickets->keys[index].name, sizeof key.name) != 0) index++;
    if (index < count) key = context->tickets->keys[index];
    pthread_rwlock_unlock(&context->tickets->lock);
    if (index >= count) return 0;

    OSSL_PARAM parameters[] = {
        OSSL_PARAM_octet_string(OSSL_MAC_PARAM_KEY, key.mac, sizeof key.mac),
        OSSL_PARAM_utf8_string(OSSL_MAC_PARAM_DIGEST, "SHA256", 0),
        OSSL_PARAM_END,
    };
    // A ticket of TLS 1.3 is for one connection (RFC 8446 C.4): whoever uses one gets the next.
    int isSpent = !encrypts && SSL_version(ssl) >= TLS1_3_VERSION;
    int result = index == 0 && !isSpent ? 1 : 2;
    if (encrypts) {
        memcpy(name, key.name, sizeof key.name);
        if (RAND_bytes(iv, 16) != 1) result = -1;
    }
    if (result > 0 && (EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key.cipher, iv, encrypts) != 1 ||
                       EVP_MAC_CTX_set_params(mac, parameters) != 1))
        result = -1;
    OPENSSL_cleanse(&key, sizeof key);
    return result;
}

int tollgate_tls_install_tickets(SSL_CTX *ssl, struct tollgate_tls_context *context) {
    if (context->tickets == NULL) {
        // Without tickets and without a cache there is nothing to resume (RFC 8446 4.6.1 leaves both to the server).
        SSL_CTX_set_options(ssl, SSL_OP_NO_TICKET);
        return SSL_CTX_set_num_tickets(ssl, 0);
    }
    SSL_CTX_set_timeout(ssl, 7200);
    return SSL_CTX_set_num_tickets(ssl, 1) && SSL_CTX_set_tlsext_ticket_key_evp_cb(ssl, ticket_key);
}
