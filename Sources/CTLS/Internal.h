#ifndef TOLLGATE_CTLS_INTERNAL_H
#define TOLLGATE_CTLS_INTERNAL_H

#include "CTLS.h"

#include <openssl/ssl.h>

// A certificate of a server with the host names it is good for, in lower case; `*.` begins a wildcard.
struct entry {
    SSL_CTX *context;
    char **names;
    size_t name_count;
};

struct tollgate_tls_context {
    // The client's, or the server's as a pattern for those of the entries.
    SSL_CTX *base;
    struct entry *entries;
    size_t entry_count;
    unsigned char *protocols;
    size_t protocol_count;
    struct tollgate_tls_tickets *tickets;
    X509_STORE *authorities;
    STACK_OF(X509_NAME) * authority_names;
    int minimum;
    int requires_certificate;
    int is_server;
};

// Puts the oldest error of this thread's queue into words, and empties the queue.
void tollgate_tls_take_error(char *error, const char *what);

// The callback that looks ticket keys up; `argument` of the SSL_CTX is the context.
int tollgate_tls_install_tickets(SSL_CTX *ssl, struct tollgate_tls_context *context);
struct tollgate_tls_context *tollgate_tls_context_of(SSL_CTX *ssl);

#endif
