#include "Internal.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The most one record holds (RFC 8446 5.1).
#define RECORD 16384
// The output buffer is given back when it is larger than this.
#define KEPT 4096

struct tollgate_tls_session {
    SSL *ssl;
    // The bytes of the present call: what comes in, and the room for what goes out.
    const uint8_t *input;
    size_t input_count;
    uint8_t *room;
    size_t room_count;
    size_t produced;
    // What goes out and has no room; in order behind what had.
    uint8_t *output;
    size_t output_count;
    size_t output_room;
    char *failure;
};

// MARK: Bytes for OpenSSL

static int take_input(BIO *bio, char *bytes, size_t count, size_t *taken) {
    struct tollgate_tls_session *session = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    *taken = 0;
    if (session->input_count == 0) {
        BIO_set_retry_read(bio);
        return 0;
    }
    if (count > session->input_count) count = session->input_count;
    memcpy(bytes, session->input, count);
    session->input += count;
    session->input_count -= count;
    *taken = count;
    return 1;
}

static int reserve(struct tollgate_tls_session *session, size_t count) {
    size_t needed = session->output_count + count;
    if (needed <= session->output_room) return 1;
    size_t room = session->output_room < KEPT ? KEPT : session->output_room * 2;
    if (room < needed) room = needed;
    uint8_t *grown = realloc(session->output, room);
    if (grown == NULL) return 0;
    session->output = grown;
    session->output_room = room;
    return 1;
}

static int put_output(BIO *bio, const char *bytes, size_t count, size_t *put) {
    struct tollgate_tls_session *session = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (session->output_count == 0 && count <= session->room_count - session->produced) {
        memcpy(session->room + session->produced, bytes, count);
        session->produced += count;
    } else {
        if (!reserve(session, count)) return -1;
        memcpy(session->output + session->output_count, bytes, count);
        session->output_count += count;
    }
    *put = count;
    return 1;
}

static long control(BIO *bio, int command, long number, void *pointer) {
    (void)bio, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

static BIO_METHOD *method;

static void make_method(void) {
    BIO_METHOD *made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "tollgate");
    if (made == NULL) return;
    if (BIO_meth_set_read_ex(made, take_input) && BIO_meth_set_write_ex(made, put_output) &&
        BIO_meth_set_ctrl(made, control))
        method = made;
    else
        BIO_meth_free(made);
}

// MARK: Making and freeing

static struct tollgate_tls_session *new_session(SSL_CTX *context) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_method);
    ERR_clear_error();
    struct tollgate_tls_session *session = calloc(1, sizeof *session);
    SSL *ssl = session ? SSL_new(context) : NULL;
    BIO *bio = ssl && method ? BIO_new(method) : NULL;
    if (bio == NULL) {
        SSL_free(ssl);
        free(session);
        ERR_clear_error();
        return NULL;
    }
    BIO_set_data(bio, session);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
    session->ssl = ssl;
    return session;
}

struct tollgate_tls_session *tollgate_tls_server_session(struct tollgate_tls_context *context) {
    if (context->entry_count == 0) return NULL;
    struct tollgate_tls_session *session = new_session(context->entries[0].context);
    if (session != NULL) SSL_set_accept_state(session->ssl);
    return session;
}

static int is_address(const char *host) {
    unsigned char bytes[16];
    return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

struct tollgate_tls_session *tollgate_tls_client_session(struct tollgate_tls_context *context, const char *host) {
    struct tollgate_tls_session *session = new_session(context->base);
    if (session == NULL) return NULL;
    SSL_set_connect_state(session->ssl);
    int done;
    if (is_address(host)) {
        done = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session->ssl), host);
    } else {
        SSL_set_hostflags(
            session->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
        done = SSL_set_tlsext_host_name(session->ssl, host) == 1 && SSL_set1_host(session->ssl, host) == 1;
    }
    if (done) return session;
    tollgate_tls_session_free(session);
    ERR_clear_error();
    return NULL;
}

void tollgate_tls_session_free(struct tollgate_tls_session *session) {
    SSL_free(session->ssl);
    free(session->output);
    free(session->failure);
    free(session);
}

// MARK: Bytes

static void note_failure(struct tollgate_tls_session *session) {
    char text[TOLLGATE_TLS_ERROR];
    long verdict = SSL_get_verify_result(session->ssl);
    unsigned long first = ERR_peek_error();
    if (ERR_GET_LIB(first) == ERR_LIB_SSL && ERR_GET_REASON(first) == SSL_R_CERTIFICATE_VERIFY_FAILED) {
        snprintf(text, sizeof text, "the certificate does not verify: %s", X509_verify_cert_error_string(verdict));
        ERR_clear_error();
    } else {
        tollgate_tls_take_error(text, "");
    }
    if (session->failure == NULL) session->failure = strdup(text);
}

static int status_of(struct tollgate_tls_session *session, int result) {
    switch (SSL_get_error(session->ssl, result)) {
        case SSL_ERROR_WANT_READ: return TOLLGATE_TLS_WAITING;
        case SSL_ERROR_ZERO_RETURN: return TOLLGATE_TLS_ENDED;
        default: note_failure(session); return TOLLGATE_TLS_FAILED;
    }
}

struct tollgate_tls_progress tollgate_tls_receive(struct tollgate_tls_session *session, const void *input,
                                                  size_t count, void *room, size_t room_count) {
    struct tollgate_tls_progress progress = {.status = TOLLGATE_TLS_FAILED};
    if (session->failure != NULL) return progress;
    ERR_clear_error();
    session->input = input;
    session->input_count = count;
    session->room_count = 0;
    session->produced = 0;
    if (!SSL_is_init_finished(session->ssl)) {
        int result = SSL_do_handshake(session->ssl);
        progress.status = result == 1 ? TOLLGATE_TLS_OPENED : status_of(session, result);
    } else {
        progress.status = TOLLGATE_TLS_FULL;
        while (progress.produced < room_count) {
            size_t got = 0;
            int result = SSL_read_ex(session->ssl, (uint8_t *)room + progress.produced,
                                     room_count - progress.produced, &got);
            progress.produced += got;
            if (result == 1) continue;
            progress.status = status_of(session, result);
            break;
        }
    }
    progress.consumed = count - session->input_count;
    session->input = NULL;
    session->input_count = 0;
    return progress;
}

// One record's worth, or whatever OpenSSL makes of it; the room never blocks, so that all is taken.
static int send_run(struct tollgate_tls_session *session, const uint8_t *bytes, size_t count) {
    while (count > 0) {
        size_t put = 0;
        if (SSL_write_ex(session->ssl, bytes, count, &put) != 1) {
            note_failure(session);
            return 0;
        }
        bytes += put;
        count -= put;
    }
    return 1;
}

struct tollgate_tls_progress tollgate_tls_send(struct tollgate_tls_session *session, const void *first,
                                               size_t first_count, const void *second, size_t second_count, void *room,
                                               size_t room_count) {
    struct tollgate_tls_progress progress = {.status = TOLLGATE_TLS_FAILED};
    if (session->failure != NULL || !SSL_is_init_finished(session->ssl)) return progress;
    // Nothing is sent after close_notify; the session itself may still be read from.
    if (SSL_get_shutdown(session->ssl) & SSL_SENT_SHUTDOWN) return progress;
    ERR_clear_error();
    session->room = room;
    session->room_count = room_count;
    session->produced = 0;
    const uint8_t *head = first, *tail = second;
    int done = 1;
    if (first_count > 0 && second_count > 0) {
        // The end of the first run and the beginning of the second share a record.
        uint8_t record[RECORD];
        size_t whole = first_count - first_count % RECORD;
        size_t rest = first_count - whole;
        done = send_run(session, head, whole);
        if (done && rest > 0) {
            size_t share = RECORD - rest < second_count ? RECORD - rest : second_count;
            memcpy(record, head + whole, rest);
            memcpy(record + rest, tail, share);
            done = send_run(session, record, rest + share);
            tail += share;
            second_count -= share;
        }
        OPENSSL_cleanse(record, rest);
    } else {
        done = send_run(session, head, first_count);
    }
    done = done && send_run(session, tail, second_count);
    progress.produced = session->produced;
    session->room = NULL;
    session->room_count = 0;
    session->produced = 0;
    if (done) progress.status = TOLLGATE_TLS_OPENED;
    return progress;
}

void tollgate_tls_finish(struct tollgate_tls_session *session) {
    // A session that is broken or not open yet has nothing to say (SSL_shutdown(3)).
    if (session->failure != NULL || !SSL_is_init_finished(session->ssl)) return;
    ERR_clear_error();
    session->room_count = 0;
    session->produced = 0;
    if (SSL_shutdown(session->ssl) < 0) ERR_clear_error();
}

const void *tollgate_tls_output(const struct tollgate_tls_session *session, size_t *count) {
    *count = session->output_count;
    return session->output;
}

void tollgate_tls_output_clear(struct tollgate_tls_session *session) {
    session->output_count = 0;
    if (session->output_room <= KEPT && !SSL_is_init_finished(session->ssl)) return;
    // Only handshakes and alerts come this way: an open session needs it hardly ever.
    free(session->output);
    session->output = NULL;
    session->output_room = 0;
}

// MARK: What came of the handshake

const char *tollgate_tls_failure(const struct tollgate_tls_session *session) {
    return session->failure != NULL ? session->failure : "";
}

const uint8_t *tollgate_tls_protocol(const struct tollgate_tls_session *session, size_t *count) {
    const unsigned char *name = NULL;
    unsigned int length = 0;
    SSL_get0_alpn_selected(session->ssl, &name, &length);
    *count = length;
    return name;
}

int tollgate_tls_was_resumed(const struct tollgate_tls_session *session) {
    return SSL_session_reused(session->ssl);
}

int tollgate_tls_version(const struct tollgate_tls_session *session) { return SSL_version(session->ssl); }

int tollgate_tls_vouches(const struct tollgate_tls_context *context, const struct tollgate_tls_session *session) {
    // What the handshake was done under needs no second look.
    if (tollgate_tls_context_of(SSL_get_SSL_CTX(session->ssl)) == context) return 1;
    X509 *leaf = SSL_get0_peer_certificate(session->ssl);
    if (context->authorities == NULL || leaf == NULL) return 0;
    X509_STORE_CTX *check = X509_STORE_CTX_new();
    int vouches = check != NULL &&
                  X509_STORE_CTX_init(check, context->authorities, leaf, SSL_get_peer_cert_chain(session->ssl)) == 1 &&
                  X509_STORE_CTX_set_default(check, "ssl_client") == 1 && X509_verify_cert(check) == 1;
    X509_STORE_CTX_free(check);
    ERR_clear_error();
    return vouches;
}

struct tollgate_tls_certificate *tollgate_tls_peer_certificate(const struct tollgate_tls_session *session) {
    if (SSL_get_verify_result(session->ssl) != X509_V_OK) return NULL;
    return (struct tollgate_tls_certificate *)SSL_get1_peer_certificate(session->ssl);
}
