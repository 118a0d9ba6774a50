#include "Internal.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Mozilla's "intermediate" list without finite-field Diffie-Hellman, which wants parameters and is slow.
static const char *const ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
                                   "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
                                   "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
static const char *const suites = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
static const char *const groups = "X25519:P-256:P-384";

void tollgate_tls_take_error(char *error, const char *what) {
    unsigned long code = ERR_get_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    if (reason != NULL)
        snprintf(error, TOLLGATE_TLS_ERROR, "%s%s%s", what, *what ? ": " : "", reason);
    else
        snprintf(error, TOLLGATE_TLS_ERROR, "%s", *what ? what : "the TLS library gave no reason");
    ERR_clear_error();
}

static int index_of_context;

static void make_index(void) { index_of_context = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL); }

static int context_index(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_index);
    return index_of_context;
}

struct tollgate_tls_context *tollgate_tls_context_of(SSL_CTX *ssl) {
    return SSL_CTX_get_ex_data(ssl, context_index());
}

// A key that asks for a passphrase is refused: there is nobody to ask.
static int no_passphrase(char *buffer, int size, int writes, void *argument) {
    (void)buffer, (void)size, (void)writes, (void)argument;
    return -1;
}

static BIO *reader(const void *bytes, size_t count) {
    return bytes == NULL || count == 0 || count > 1 << 24 ? NULL : BIO_new_mem_buf(bytes, (int)count);
}

static int is_end_of_pem(void) {
    unsigned long last = ERR_peek_last_error();
    return ERR_GET_LIB(last) == ERR_LIB_PEM && ERR_GET_REASON(last) == PEM_R_NO_START_LINE;
}

static SSL_CTX *bare_context(struct tollgate_tls_context *context, char *error) {
    SSL_CTX *ssl = SSL_CTX_new(context->is_server ? TLS_server_method() : TLS_client_method());
    if (ssl == NULL) {
        tollgate_tls_take_error(error, "");
        return NULL;
    }
    SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                 SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_NO_AUTO_CHAIN);
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_default_passwd_cb(ssl, no_passphrase);
    if (SSL_CTX_set_min_proto_version(ssl, context->minimum) == 1 &&
        SSL_CTX_set_max_proto_version(ssl, TLS1_3_VERSION) == 1 && SSL_CTX_set_cipher_list(ssl, ciphers) == 1 &&
        SSL_CTX_set_ciphersuites(ssl, suites) == 1 && SSL_CTX_set1_groups_list(ssl, groups) == 1 &&
        SSL_CTX_set_ex_data(ssl, context_index(), context) == 1)
        return ssl;
    tollgate_tls_take_error(error, "");
    SSL_CTX_free(ssl);
    return NULL;
}

static struct tollgate_tls_context *new_context(int is_server, int minimum, const uint8_t *protocols, size_t count,
                                                char *error) {
    struct tollgate_tls_context *context = calloc(1, sizeof *context);
    unsigned char *list = malloc(count + 1);
    if (context == NULL || list == NULL) {
        free(context);
        free(list);
        snprintf(error, TOLLGATE_TLS_ERROR, "out of memory");
        return NULL;
    }
    if (count > 0) memcpy(list, protocols, count);
    context->protocols = list;
    context->protocol_count = count;
    context->is_server = is_server;
    context->minimum = minimum;
    context->base = bare_context(context, error);
    if (context->base != NULL) return context;
    tollgate_tls_context_free(context);
    return NULL;
}

void tollgate_tls_context_free(struct tollgate_tls_context *context) {
    for (size_t i = 0; i < context->entry_count; i++) {
        for (size_t j = 0; j < context->entries[i].name_count; j++) free(context->entries[i].names[j]);
        free(context->entries[i].names);
        SSL_CTX_free(context->entries[i].context);
    }
    free(context->entries);
    SSL_CTX_free(context->base);
    X509_STORE_free(context->authorities);
    sk_X509_NAME_pop_free(context->authority_names, X509_NAME_free);
    free(context->protocols);
    free(context);
}

// MARK: Certificates and authorities

static int use_chain(SSL_CTX *ssl, const void *chain, size_t chain_count, const void *key, size_t key_count,
                     char *error) {
    BIO *certificates = reader(chain, chain_count);
    BIO *keys = reader(key, key_count);
    X509 *leaf = certificates ? PEM_read_bio_X509_AUX(certificates, NULL, no_passphrase, NULL) : NULL;
    EVP_PKEY *private = NULL;
    int done = TOLLGATE_TLS_BAD_CERTIFICATE;
    if (leaf == NULL) {
        ERR_clear_error();
        snprintf(error, TOLLGATE_TLS_ERROR, "there is no certificate in PEM in it");
        goto out;
    }
    if (SSL_CTX_use_certificate(ssl, leaf) != 1) {
        tollgate_tls_take_error(error, "the certificate cannot be used");
        goto out;
    }
    for (;;) {
        X509 *next = PEM_read_bio_X509(certificates, NULL, no_passphrase, NULL);
        if (next == NULL) break;
        if (SSL_CTX_add0_chain_cert(ssl, next) != 1) {
            X509_free(next);
            tollgate_tls_take_error(error, "a certificate of the chain cannot be used");
            goto out;
        }
    }
    if (!is_end_of_pem()) {
        tollgate_tls_take_error(error, "a certificate of the chain cannot be read");
        goto out;
    }
    ERR_clear_error();
    done = TOLLGATE_TLS_BAD_KEY;
    private = keys ? PEM_read_bio_PrivateKey(keys, NULL, no_passphrase, NULL) : NULL;
    if (private == NULL) {
        ERR_clear_error();
        snprintf(error, TOLLGATE_TLS_ERROR, "the key is no private key in PEM without a passphrase");
        goto out;
    }
    if (X509_check_private_key(leaf, private) != 1) {
        ERR_clear_error();
        snprintf(error, TOLLGATE_TLS_ERROR, "the key does not belong to the certificate");
        goto out;
    }
    if (SSL_CTX_use_PrivateKey(ssl, private) != 1) {
        tollgate_tls_take_error(error, "the key cannot be used");
        goto out;
    }
    done = 1;
out:
    EVP_PKEY_free(private);
    X509_free(leaf);
    BIO_free(keys);
    BIO_free(certificates);
    return done;
}

static X509_STORE *store(const void *pem, size_t count, STACK_OF(X509_NAME) * names, char *error) {
    BIO *certificates = reader(pem, count);
    X509_STORE *made = X509_STORE_new();
    size_t found = 0;
    int is_whole = made != NULL && certificates != NULL;
    while (is_whole) {
        X509 *next = PEM_read_bio_X509_AUX(certificates, NULL, no_passphrase, NULL);
        if (next == NULL) {
            is_whole = is_end_of_pem();
            break;
        }
        found++;
        is_whole = X509_STORE_add_cert(made, next) == 1;
        if (is_whole && names != NULL) {
            X509_NAME *name = X509_NAME_dup(X509_get_subject_name(next));
            is_whole = name != NULL && sk_X509_NAME_push(names, name) > 0;
        }
        X509_free(next);
    }
    BIO_free(certificates);
    if (is_whole && found > 0) {
        ERR_clear_error();
        return made;
    }
    if (found > 0)
        tollgate_tls_take_error(error, "a certificate in it cannot be read");
    else
        snprintf(error, TOLLGATE_TLS_ERROR, "there is no certificate in PEM in it");
    ERR_clear_error();
    X509_STORE_free(made);
    return NULL;
}

// MARK: Servers

static int matches(const char *pattern, const char *host) {
    if (strncmp(pattern, "*.", 2) != 0) return strcmp(pattern, host) == 0;
    const char *rest = strchr(host, '.');
    return rest != NULL && rest != host && strcmp(pattern + 1, rest) == 0;
}

static void to_lower(char *text) {
    for (; *text; text++)
        if (*text >= 'A' && *text <= 'Z') *text |= 0x20;
}

// RFC 6066 3: the certificate whose own names hold the host, exact ones before wildcards; else the first.
static int choose_certificate(SSL *ssl, int *alert, void *argument) {
    (void)alert;
    struct tollgate_tls_context *context = argument;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    char host[256];
    if (name == NULL || strlen(name) >= sizeof host) return SSL_TLSEXT_ERR_NOACK;
    strcpy(host, name);
    to_lower(host);
    for (int wildcards = 0; wildcards < 2; wildcards++)
        for (size_t i = 0; i < context->entry_count; i++)
            for (size_t j = 0; j < context->entries[i].name_count; j++) {
                const char *pattern = context->entries[i].names[j];
                if ((pattern[0] == '*') != wildcards || !matches(pattern, host)) continue;
                if (i > 0) SSL_set_SSL_CTX(ssl, context->entries[i].context);
                return SSL_TLSEXT_ERR_OK;
            }
    return SSL_TLSEXT_ERR_NOACK;
}

// RFC 7301 3.2: our best protocol that the client knows; none in common ends the handshake.
static int choose_protocol(SSL *ssl, const unsigned char **chosen, unsigned char *chosen_count,
                           const unsigned char *offered, unsigned int offered_count, void *argument) {
    (void)ssl;
    struct tollgate_tls_context *context = argument;
    unsigned char *found = NULL;
    int result = SSL_select_next_proto(&found, chosen_count, context->protocols, (unsigned)context->protocol_count,
                                       offered, offered_count);
    if (result != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_ALERT_FATAL;
    *chosen = found;
    return SSL_TLSEXT_ERR_OK;
}

static int set_up_server(SSL_CTX *ssl, struct tollgate_tls_context *context) {
    if (!tollgate_tls_install_tickets(ssl, context)) return 0;
    SSL_CTX_set_tlsext_servername_callback(ssl, choose_certificate);
    SSL_CTX_set_tlsext_servername_arg(ssl, context);
    if (context->protocol_count > 0) SSL_CTX_set_alpn_select_cb(ssl, choose_protocol, context);
    if (context->authorities == NULL) return 1;
    int mode = SSL_VERIFY_PEER | (context->requires_certificate ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0);
    SSL_CTX_set_verify(ssl, mode, NULL);
    SSL_CTX_set1_verify_cert_store(ssl, context->authorities);
    // Names, so that a client with several certificates knows which one is wanted.
    STACK_OF(X509_NAME) *names = SSL_dup_CA_list(context->authority_names);
    if (names == NULL) return 0;
    SSL_CTX_set_client_CA_list(ssl, names);
    return 1;
}

struct tollgate_tls_context *tollgate_tls_server_new(int minimum, const uint8_t *protocols, size_t count,
                                                     struct tollgate_tls_tickets *tickets, char *error) {
    struct tollgate_tls_context *context = new_context(1, minimum, protocols, count, error);
    if (context != NULL) context->tickets = tickets;
    return context;
}

int tollgate_tls_server_authorities(struct tollgate_tls_context *context, const void *pem, size_t count, int required,
                                    char *error) {
    context->authority_names = sk_X509_NAME_new_null();
    context->authorities = store(pem, count, context->authority_names, error);
    context->requires_certificate = required;
    return context->authorities != NULL;
}

static int add_name(struct entry *entry, const char *text, size_t count) {
    char **names = realloc(entry->names, (entry->name_count + 1) * sizeof *names);
    if (names == NULL) return 0;
    entry->names = names;
    char *name = strndup(text, count);
    if (name == NULL) return 0;
    to_lower(name);
    entry->names[entry->name_count++] = name;
    return 1;
}

static int read_names(struct entry *entry, X509 *leaf) {
    GENERAL_NAMES *names = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
    int is_whole = 1;
    for (int i = 0; is_whole && i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type != GEN_DNS) continue;
        const char *text = (const char *)ASN1_STRING_get0_data(name->d.dNSName);
        int count = ASN1_STRING_length(name->d.dNSName);
        // A name with a NUL inside is nobody's.
        if (count > 0 && count < 256 && memchr(text, 0, (size_t)count) == NULL)
            is_whole = add_name(entry, text, (size_t)count);
    }
    GENERAL_NAMES_free(names);
    return is_whole;
}

static int has_name(const struct entry *entry, const char *name) {
    for (size_t i = 0; i < entry->name_count; i++)
        if (strcmp(entry->names[i], name) == 0) return 1;
    return 0;
}

static int has_same_names(const struct entry *entry, const struct entry *other) {
    if (entry->name_count != other->name_count) return 0;
    for (size_t i = 0; i < entry->name_count; i++)
        if (!has_name(other, entry->names[i])) return 0;
    return 1;
}

static int key_type(SSL_CTX *ssl) { return EVP_PKEY_base_id(X509_get0_pubkey(SSL_CTX_get0_certificate(ssl))); }

// An earlier entry of the same names whose key is of another type; NULL when there is none.
static struct entry *counterpart(struct tollgate_tls_context *context, const struct entry *entry) {
    for (struct entry *other = context->entries; other < entry; other++)
        if (has_same_names(entry, other) && key_type(entry->context) != key_type(other->context)) return other;
    return NULL;
}

int tollgate_tls_server_certificate(struct tollgate_tls_context *context, const void *chain, size_t chain_count,
                                    const void *key, size_t key_count, char *error) {
    struct entry *entries = realloc(context->entries, (context->entry_count + 1) * sizeof *entries);
    if (entries == NULL) {
        snprintf(error, TOLLGATE_TLS_ERROR, "out of memory");
        return 0;
    }
    context->entries = entries;
    SSL_CTX *ssl = bare_context(context, error);
    if (ssl == NULL) return 0;
    struct entry *entry = &context->entries[context->entry_count];
    *entry = (struct entry){.context = ssl};
    // Counted from here on, so that whoever frees the context frees it too.
    context->entry_count++;
    int used = use_chain(ssl, chain, chain_count, key, key_count, error);
    if (used != 1) return used;
    if (set_up_server(ssl, context) && read_names(entry, SSL_CTX_get0_certificate(ssl))) {
        // The first of the names is chosen, and in there the key that the client can verify.
        struct entry *other = counterpart(context, entry);
        return other == NULL ? 1 : use_chain(other->context, chain, chain_count, key, key_count, error);
    }
    tollgate_tls_take_error(error, "the certificate cannot be used");
    return 0;
}

int tollgate_tls_server_identity(struct tollgate_tls_context *context, const uint8_t *digest) {
    for (size_t i = 0; i < context->entry_count; i++)
        if (SSL_CTX_set_session_id_context(context->entries[i].context, digest, TOLLGATE_TLS_DIGEST) != 1) return 0;
    return 1;
}

// MARK: Clients

struct tollgate_tls_context *tollgate_tls_client_new(int minimum, const uint8_t *protocols, size_t count,
                                                     const void *authorities, size_t authorities_count, int verifies,
                                                     char *error) {
    struct tollgate_tls_context *context = new_context(0, minimum, protocols, count, error);
    if (context == NULL) return NULL;
    SSL_CTX_set_verify(context->base, verifies ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
    int done = count == 0 || SSL_CTX_set_alpn_protos(context->base, context->protocols, (unsigned)count) == 0;
    if (done && authorities != NULL) {
        X509_STORE *trusted = store(authorities, authorities_count, NULL, error);
        if (trusted == NULL) {
            tollgate_tls_context_free(context);
            return NULL;
        }
        SSL_CTX_set_cert_store(context->base, trusted);
    } else if (done && verifies) {
        done = SSL_CTX_set_default_verify_paths(context->base) == 1;
    }
    if (done) return context;
    tollgate_tls_take_error(error, "");
    tollgate_tls_context_free(context);
    return NULL;
}

int tollgate_tls_client_certificate(struct tollgate_tls_context *context, const void *chain, size_t chain_count,
                                    const void *key, size_t key_count, char *error) {
    return use_chain(context->base, chain, chain_count, key, key_count, error);
}
