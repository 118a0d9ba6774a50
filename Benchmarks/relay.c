// The floor: a minimal HTTP/1.1 relay in C, one thread, epoll, one upstream connection for each client connection.
//
// It finds the end of every head and follows Content-Length in both directions, so that it knows where each message
// ends, and does nothing else: four system calls a request beside epoll_wait. No gateway can be cheaper on sockets.
// Not a proxy to use: no chunked framing, no timeouts, and a peer that does not read stops everybody.
//
//   relay -p PORT -u UPSTREAM_PORT
//   cc -O2 -o relay relay.c
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_EVENTS = 256, BUFFER = 65536 };

struct side {
    int fd;
    struct side *peer;
    size_t body; // bytes of the current message's body still to come
    size_t used; // bytes of an incomplete head held in buffer
    bool dead;
    char buffer[BUFFER];
};

static struct sockaddr_in upstream;
static struct side *graveyard[MAX_EVENTS * 2];
static int buried;

static size_t content_length(const char *head, size_t length) {
    static const char name[] = "\ncontent-length:";
    const char *at = head, *end = head + length;
    while ((at = memchr(at, '\n', (size_t)(end - at)))) {
        if ((size_t)(end - at) > sizeof name && (at[1] | 0x20) == 'c' && !strncasecmp(at, name, sizeof name - 1))
            return strtoul(at + sizeof name - 1, NULL, 10);
        at++;
    }
    return 0;
}

// How many bytes from the start of the buffer can go on: whole heads and the bodies behind them.
static size_t forwardable(struct side *s) {
    size_t at = 0;
    for (;;) {
        if (s->body) {
            size_t n = s->used - at < s->body ? s->used - at : s->body;
            at += n;
            s->body -= n;
            if (s->body) return at;
        }
        char *end = memmem(s->buffer + at, s->used - at, "\r\n\r\n", 4);
        if (!end) return at;
        size_t length = (size_t)(end - s->buffer) + 4 - at;
        s->body = content_length(s->buffer + at, length);
        at += length;
    }
}

// Both sides go together; the memory is freed when the batch of events that may still name them is done.
static void cut(struct side *s) {
    if (s->dead) return;
    struct side *pair[2] = {s, s->peer};
    for (int i = 0; i < 2; i++) {
        pair[i]->dead = true;
        close(pair[i]->fd);
        graveyard[buried++] = pair[i];
    }
}

static void relay(struct side *s) {
    ssize_t n = recv(s->fd, s->buffer + s->used, BUFFER - s->used, 0);
    if (n <= 0) {
        if (n == 0 || errno != EAGAIN) cut(s);
        return;
    }
    s->used += (size_t)n;
    size_t ready = forwardable(s);
    for (size_t sent = 0; sent < ready;) {
        ssize_t w = send(s->peer->fd, s->buffer + sent, ready - sent, MSG_NOSIGNAL);
        if (w < 0) { cut(s); return; }
        sent += (size_t)w;
    }
    if (ready) {
        memmove(s->buffer, s->buffer + ready, s->used - ready);
        s->used -= ready;
    } else if (s->used == BUFFER) {
        cut(s);
    }
}

static void accept_one(int epoll, int fd) {
    int one = 1, up = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct side *client = calloc(1, sizeof *client), *origin = calloc(1, sizeof *origin);
    if (!client || !origin || up < 0 || connect(up, (struct sockaddr *)&upstream, sizeof upstream)) {
        perror("relay");
        free(client);
        free(origin);
        if (up >= 0) close(up);
        close(fd);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(up, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    *client = (struct side){.fd = fd, .peer = origin};
    *origin = (struct side){.fd = up, .peer = client};
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = client};
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e);
    e.data.ptr = origin;
    epoll_ctl(epoll, EPOLL_CTL_ADD, up, &e);
}

int main(int argc, char **argv) {
    int port = 0, upstream_port = 0, option, one = 1;
    while ((option = getopt(argc, argv, "p:u:")) != -1) {
        if (option == 'p') port = atoi(optarg);
        else if (option == 'u') upstream_port = atoi(optarg);
        else return 64;
    }
    if (port <= 0 || upstream_port <= 0) { fprintf(stderr, "usage: relay -p PORT -u UPSTREAM_PORT\n"); return 64; }
    signal(SIGPIPE, SIG_IGN);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    upstream = address;
    upstream.sin_port = htons((uint16_t)upstream_port);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 4096)) {
        perror("relay");
        return 1;
    }
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL}, events[MAX_EVENTS];
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &e);
    for (;;) {
        int count = epoll_wait(epoll, events, MAX_EVENTS, -1);
        for (int i = 0; i < count; i++) {
            struct side *s = events[i].data.ptr;
            if (!s) {
                int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
                if (fd >= 0) accept_one(epoll, fd);
            } else if (!s->dead) {
                relay(s);
            }
        }
        while (buried) free(graveyard[--buried]);
    }
}
