// The load of the handshake rows: TLS 1.3 connections that are opened, shaken hands on and ended, as many as it can.
//
// One thread, epoll, a fixed number of connections under way. Each one says close_notify behind its Finished and waits
// for the server to close: a handshake counts when the server has done all of its work for it, its tickets included.
// With -r each connection goes on with the last ticket that came in its place (psk_dhe_ke, RFC 8446 2.2), and counts
// only if the server took it; `tickets` says how many came. The server's certificate is not looked at, its signature is
// checked. One suite and one group are offered, so that all servers do the same.
//
//   handshakes -p PORT [-c CONNECTIONS] [-d SECONDS] [-r]      prints one line of JSON
//   cc -O2 -o handshakes handshakes.c -lssl -lcrypto
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_EVENTS = 256 };

struct place {
    int fd;
    SSL *ssl;
    SSL_SESSION *session; // of the last ticket, where it is to be used again
    bool resumes, ended;
};

static struct sockaddr_in server;
static SSL_CTX *context;
static int epoll_fd;
static bool resume;
static unsigned long full, resumed, failed, tickets;
static char described[128];

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int take_ticket(SSL *ssl, SSL_SESSION *session) {
    struct place *p = SSL_get_app_data(ssl);
    tickets++;
    if (!resume) return 0;
    SSL_SESSION_free(p->session);
    p->session = session; // ours from here on: 1 is answered
    return 1;
}

static void begin(struct place *p) {
    int one = 1;
    p->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (p->fd < 0 || (connect(p->fd, (struct sockaddr *)&server, sizeof server) && errno != EINPROGRESS)) {
        perror("handshakes");
        exit(1);
    }
    setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    p->ssl = SSL_new(context);
    SSL_set_fd(p->ssl, p->fd);
    SSL_set_app_data(p->ssl, p);
    SSL_set_tlsext_host_name(p->ssl, "bench.example");
    SSL_set_connect_state(p->ssl);
    p->resumes = p->session != NULL;
    if (p->resumes) {
        // A copy: the library spoils the one it has used, and a server need not send another ticket.
        SSL_SESSION *copy = SSL_SESSION_dup(p->session);
        SSL_set_session(p->ssl, copy);
        SSL_SESSION_free(copy);
    }
    p->ended = false;
    struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = p};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, p->fd, &e);
}

static void count(struct place *p, bool is_whole) {
    bool reused = SSL_session_reused(p->ssl);
    if (!is_whole || p->resumes != reused) failed++;
    else if (reused) resumed++;
    else full++;
    if (is_whole && !*described)
        snprintf(described, sizeof described, "%s %s %s", SSL_get_version(p->ssl), SSL_get_cipher_name(p->ssl),
            OBJ_nid2sn(SSL_get_negotiated_group(p->ssl) & 0xffff));
}

static void go_on(struct place *p) {
    char bytes[4096];
    for (;;) {
        ERR_clear_error();
        int n = p->ended ? SSL_read(p->ssl, bytes, sizeof bytes) : SSL_do_handshake(p->ssl);
        int error = n > 0 ? SSL_ERROR_NONE : SSL_get_error(p->ssl, n);
        if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return;
        if (error == SSL_ERROR_NONE) {
            if (p->ended) continue;
            SSL_shutdown(p->ssl);
            shutdown(p->fd, SHUT_WR);
            p->ended = true;
            continue;
        }
        // The end, with close_notify or without, is what is waited for; an alert or a reset is none.
        bool is_end = error == SSL_ERROR_ZERO_RETURN ||
            ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
        count(p, p->ended && is_end);
        SSL_free(p->ssl);
        close(p->fd);
        begin(p);
        return;
    }
}

int main(int argc, char **argv) {
    int port = 0, connections = 32, option;
    double seconds = 2;
    while ((option = getopt(argc, argv, "p:c:d:r")) != -1) {
        if (option == 'p') port = atoi(optarg);
        else if (option == 'c') connections = atoi(optarg);
        else if (option == 'd') seconds = atof(optarg);
        else if (option == 'r') resume = true;
        else return 64;
    }
    if (port <= 0 || connections <= 0) {
        fprintf(stderr, "usage: handshakes -p PORT [-c CONNECTIONS] [-d SECONDS] [-r]\n");
        return 64;
    }
    signal(SIGPIPE, SIG_IGN);
    server = (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    context = SSL_CTX_new(TLS_client_method());
    if (!context || !SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) ||
        !SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256") || !SSL_CTX_set1_groups_list(context, "X25519")) {
        ERR_print_errors_fp(stderr);
        return 1;
    }
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, take_ticket);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct place *places = calloc((size_t)connections, sizeof *places);
    if (!places || epoll_fd < 0) { perror("handshakes"); return 1; }
    double start = now(), end = start + seconds;
    for (int i = 0; i < connections; i++) begin(&places[i]);
    struct epoll_event events[MAX_EVENTS];
    while (now() < end) {
        int n = epoll_wait(epoll_fd, events, MAX_EVENTS, 100);
        for (int i = 0; i < n; i++) go_on(events[i].data.ptr);
    }
    printf("{\"full\":%lu,\"resumed\":%lu,\"failed\":%lu,\"tickets\":%lu,\"seconds\":%.6f,\"spoken\":\"%s\"}\n", full,
        resumed, failed, tickets, now() - start, described);
    return 0;
}
