// A minimal HTTP/1.1 origin for the benchmarks: one thread, epoll, keep-alive, pipelining-safe.
//
// Every request is answered 200 with a fixed body; a request's Content-Length body is read and dropped. A proxy is
// measured against it, so it does no more than an origin must, and is never the thing measured.
//
//   origin -p PORT [-b BODY_BYTES] [-c]     -c answers with chunked framing
//   cc -O2 -o origin origin.c
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

// A call copies AT_ONCE bytes at most: for as long, a kernel without preemption lets nobody else onto the core.
enum { MAX_EVENTS = 256, MAX_FDS = 65536, INPUT = 65536, AT_ONCE = 65536 };

struct connection {
    size_t used;      // bytes held in input
    size_t skip;      // bytes of the current request's body still to drop
    size_t owed;      // whole answers promised and not yet started
    size_t sent;      // bytes of the answer in progress that are already out
    bool wants_write; // EPOLLOUT is armed
    char input[INPUT];
};

static struct connection *connections[MAX_FDS];
static char *answer;          // `batch` identical answers, one behind the other
static size_t answer_length;  // of one answer
static size_t batch;

static void build_answer(size_t body, bool chunked) {
    char head[256];
    int n = chunked
        ? snprintf(head, sizeof head,
              "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n%zx\r\n", body)
        : snprintf(head, sizeof head,
              "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n\r\n", body);
    const char *tail = chunked ? "\r\n0\r\n\r\n" : "";
    answer_length = (size_t)n + body + strlen(tail);
    batch = answer_length < 4096 ? 64 : 1;
    answer = malloc(answer_length * batch);
    if (!answer) { perror("origin"); exit(1); }
    for (size_t i = 0; i < batch; i++) {
        char *at = answer + i * answer_length;
        memcpy(at, head, (size_t)n);
        memset(at + n, 'x', body);
        memcpy(at + n + body, tail, strlen(tail));
    }
}

static void drop(int fd) {
    free(connections[fd]);
    connections[fd] = NULL;
    close(fd);
}

static size_t content_length(const char *head, size_t length) {
    static const char name[] = "\ncontent-length:";
    for (size_t i = 0; i + sizeof name - 1 < length; i++)
        if (head[i] == '\n' && strncasecmp(head + i, name, sizeof name - 1) == 0)
            return strtoul(head + i + sizeof name - 1, NULL, 10);
    return 0;
}

// Counts the requests that are complete in the input and keeps the rest. False when a head cannot fit.
static bool consume(struct connection *c) {
    size_t at = 0;
    for (;;) {
        if (c->skip) {
            size_t n = c->used - at < c->skip ? c->used - at : c->skip;
            at += n;
            c->skip -= n;
            if (c->skip) break;
            c->owed++;
        }
        char *end = memmem(c->input + at, c->used - at, "\r\n\r\n", 4);
        if (!end) break;
        size_t length = (size_t)(end - c->input) + 4 - at;
        c->skip = content_length(c->input + at, length);
        at += length;
        if (!c->skip) c->owed++;
    }
    if (at) {
        memmove(c->input, c->input + at, c->used - at);
        c->used -= at;
    }
    return c->used < INPUT;
}

// Writes what is owed. False when the connection broke.
static bool flush(int epoll, int fd, struct connection *c) {
    while (c->owed) {
        size_t count = c->owed < batch ? c->owed : batch;
        size_t length = count * answer_length - c->sent;
        ssize_t n = send(fd, answer + c->sent, length < AT_ONCE ? length : AT_ONCE, MSG_NOSIGNAL);
        if (n < 0) {
            if (errno != EAGAIN) return false;
            if (!c->wants_write) {
                struct epoll_event e = {.events = EPOLLIN | EPOLLOUT, .data.fd = fd};
                epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &e);
                c->wants_write = true;
            }
            return true;
        }
        c->sent += (size_t)n;
        c->owed -= c->sent / answer_length;
        c->sent %= answer_length;
    }
    if (c->wants_write) {
        struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};
        epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &e);
        c->wants_write = false;
    }
    return true;
}

int main(int argc, char **argv) {
    int port = 0, option, one = 1;
    size_t body = 128;
    bool chunked = false;
    while ((option = getopt(argc, argv, "p:b:c")) != -1) {
        if (option == 'p') port = atoi(optarg);
        else if (option == 'b') body = strtoul(optarg, NULL, 10);
        else if (option == 'c') chunked = true;
        else return 64;
    }
    if (port <= 0) { fprintf(stderr, "usage: origin -p PORT [-b BODY_BYTES] [-c]\n"); return 64; }
    signal(SIGPIPE, SIG_IGN);
    build_answer(body, chunked);

    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 4096)) {
        perror("origin");
        return 1;
    }
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event e = {.events = EPOLLIN, .data.fd = listener}, events[MAX_EVENTS];
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &e);
    for (;;) {
        int count = epoll_wait(epoll, events, MAX_EVENTS, -1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == listener) {
                int accepted;
                while ((accepted = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
                    if (accepted >= MAX_FDS || !(connections[accepted] = malloc(sizeof **connections))) {
                        close(accepted);
                        continue;
                    }
                    struct connection *c = connections[accepted];
                    c->used = c->skip = c->owed = c->sent = 0;
                    c->wants_write = false;
                    setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                    e = (struct epoll_event){.events = EPOLLIN, .data.fd = accepted};
                    epoll_ctl(epoll, EPOLL_CTL_ADD, accepted, &e);
                }
                continue;
            }
            struct connection *c = connections[fd];
            if (events[i].events & EPOLLIN) {
                ssize_t n = recv(fd, c->input + c->used, INPUT - c->used, 0);
                if (n == 0 || (n < 0 && errno != EAGAIN)) { drop(fd); continue; }
                if (n > 0) c->used += (size_t)n;
                if (!consume(c)) { drop(fd); continue; }
            } else if (events[i].events & (EPOLLERR | EPOLLHUP)) { drop(fd); continue; }
            if (!flush(epoll, fd, c)) drop(fd);
        }
    }
}
