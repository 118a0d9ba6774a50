#define _GNU_SOURCE
#include "CLinux.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define MAXIMUM_EVENTS 128
// Bytes of a client's connection that the kernel holds beyond what it has sent.
#define MAXIMUM_UNSENT 262144

int tollgate_epoll_create(void) {
    int poll = epoll_create1(EPOLL_CLOEXEC);
    return poll < 0 ? -errno : poll;
}

int tollgate_epoll_add(int poll, int descriptor, uint32_t events, uint64_t token) {
    struct epoll_event event = {.events = events, .data = {.u64 = token}};
    return epoll_ctl(poll, EPOLL_CTL_ADD, descriptor, &event) < 0 ? -errno : 0;
}

int tollgate_epoll_remove(int poll, int descriptor) {
    return epoll_ctl(poll, EPOLL_CTL_DEL, descriptor, NULL) < 0 ? -errno : 0;
}

int tollgate_epoll_wait(int poll, struct tollgate_event *events, int count, int milliseconds) {
    struct epoll_event raw[MAXIMUM_EVENTS];
    if (count > MAXIMUM_EVENTS) count = MAXIMUM_EVENTS;
    int ready = epoll_wait(poll, raw, count, milliseconds);
    if (ready < 0) return errno == EINTR ? 0 : -errno;
    for (int i = 0; i < ready; i++) {
        events[i].token = raw[i].data.u64;
        events[i].events = raw[i].events;
    }
    return ready;
}

int tollgate_allowed_cores(void) {
    cpu_set_t allowed;
    return sched_getaffinity(0, sizeof allowed, &allowed) < 0 ? -errno : CPU_COUNT(&allowed);
}

void tollgate_name_thread(const char *name) {
    char cut[16];
    snprintf(cut, sizeof cut, "%s", name);
    pthread_setname_np(pthread_self(), cut);
}

int tollgate_eventfd(void) {
    int descriptor = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return descriptor < 0 ? -errno : descriptor;
}

void tollgate_eventfd_signal(int descriptor) {
    uint64_t one = 1;
    ssize_t written;
    do written = write(descriptor, &one, sizeof one);
    while (written < 0 && errno == EINTR);
}

void tollgate_eventfd_drain(int descriptor) {
    uint64_t count;
    ssize_t got;
    do got = read(descriptor, &count, sizeof count);
    while (got < 0 && errno == EINTR);
}

int tollgate_resolve(const char *host, uint16_t port, int resolves, struct tollgate_address *addresses, int count) {
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    hints.ai_flags = AI_NUMERICSERV | (resolves ? 0 : AI_NUMERICHOST);
    struct addrinfo *found = NULL;
    char service[8];
    snprintf(service, sizeof service, "%u", (unsigned)port);
    if (getaddrinfo(host, service, &hints, &found) != 0 || found == NULL) return -ENOENT;
    int filled = 0;
    for (struct addrinfo *one = found; one != NULL && filled < count; one = one->ai_next) {
        struct tollgate_address *address = &addresses[filled++];
        memset(&address->storage, 0, sizeof address->storage);
        memcpy(&address->storage, one->ai_addr, one->ai_addrlen);
        address->length = one->ai_addrlen;
    }
    freeaddrinfo(found);
    return filled;
}

int tollgate_describe(const struct tollgate_address *address, char *text) {
    text[0] = 0;
    if (address->storage.ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)&address->storage;
        inet_ntop(AF_INET, &v4->sin_addr, text, 46);
        return ntohs(v4->sin_port);
    }
    if (address->storage.ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&address->storage;
        inet_ntop(AF_INET6, &v6->sin6_addr, text, 46);
        return ntohs(v6->sin6_port);
    }
    return 0;
}

int tollgate_listening_address(int descriptor, struct tollgate_address *address) {
    int type = 0, listens = 0;
    socklen_t size = sizeof type;
    if (getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &size) < 0) return -errno;
    size = sizeof listens;
    if (getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) < 0) return -errno;
    socklen_t length = sizeof address->storage;
    if (getsockname(descriptor, (struct sockaddr *)&address->storage, &length) < 0) return -errno;
    address->length = length;
    int family = address->storage.ss_family;
    return type == SOCK_STREAM && listens && (family == AF_INET || family == AF_INET6) ? 0 : -EINVAL;
}

int tollgate_adopt(int descriptor) {
    int flags = fcntl(descriptor, F_GETFL);
    if (flags < 0 || fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) < 0) return -errno;
    return fcntl(descriptor, F_SETFD, FD_CLOEXEC) < 0 ? -errno : 0;
}

static int bound(const struct tollgate_address *address, int shares) {
    int descriptor = socket(address->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return -errno;
    int on = 1;
    if (setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        (shares && setsockopt(descriptor, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) < 0) ||
        bind(descriptor, (const struct sockaddr *)&address->storage, address->length) < 0) {
        int failure = -errno;
        close(descriptor);
        return failure;
    }
    return descriptor;
}

int tollgate_check_free(const struct tollgate_address *address) {
    int descriptor = bound(address, 0);
    if (descriptor < 0) return descriptor;
    close(descriptor);
    return 0;
}

int tollgate_listen(const struct tollgate_address *address, int backlog, int shares) {
    int descriptor = bound(address, shares);
    if (descriptor < 0) return descriptor;
    if (listen(descriptor, backlog) < 0) {
        int failure = -errno;
        close(descriptor);
        return failure;
    }
    return descriptor;
}

int tollgate_accept(int descriptor, struct tollgate_address *peer) {
    socklen_t length = sizeof peer->storage;
    int accepted;
    do accepted = accept4(descriptor, (struct sockaddr *)&peer->storage, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    while (accepted < 0 && errno == EINTR);
    if (accepted < 0) return -errno;
    peer->length = length;
    int on = 1, unsent = MAXIMUM_UNSENT;
    setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    // Else the kernel takes megabytes from us for a client that reads slowly (tcp(7)).
    setsockopt(accepted, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent);
    return accepted;
}

int tollgate_connect(const struct tollgate_address *address) {
    int descriptor = socket(address->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return -errno;
    int on = 1;
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(descriptor, (const struct sockaddr *)&address->storage, address->length) < 0 && errno != EINPROGRESS &&
        errno != EINTR) {
        int failure = -errno;
        close(descriptor);
        return failure;
    }
    return descriptor;
}

int tollgate_connect_result(int descriptor) {
    int error = 0;
    socklen_t length = sizeof error;
    if (getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &length) < 0) return -errno;
    return -error;
}

// The bare system calls: glibc's wrappers are cancellation points, which a program with threads pays for on each call.
ssize_t tollgate_receive(int descriptor, void *bytes, size_t count) {
    ssize_t got;
    do got = syscall(SYS_recvfrom, descriptor, bytes, count, 0, NULL, NULL);
    while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

ssize_t tollgate_peek(int descriptor, void *bytes, size_t count) {
    ssize_t got;
    do got = syscall(SYS_recvfrom, descriptor, bytes, count, MSG_PEEK, NULL, NULL);
    while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

ssize_t tollgate_send(int descriptor, const void *first, size_t first_count, const void *second, size_t second_count) {
    ssize_t sent;
    if (second_count == 0) {
        do sent = syscall(SYS_sendto, descriptor, first, first_count, MSG_NOSIGNAL, NULL, 0);
        while (sent < 0 && errno == EINTR);
    } else {
        struct iovec runs[2] = {{(void *)first, first_count}, {(void *)second, second_count}};
        struct msghdr message = {.msg_iov = runs, .msg_iovlen = 2};
        do sent = sendmsg(descriptor, &message, MSG_NOSIGNAL);
        while (sent < 0 && errno == EINTR);
    }
    return sent < 0 ? -errno : sent;
}

int tollgate_unacknowledged(int descriptor) {
    int count = 0;
    return ioctl(descriptor, SIOCOUTQ, &count) < 0 ? -errno : count;
}

void tollgate_shutdown_output(int descriptor) { shutdown(descriptor, SHUT_WR); }

void tollgate_reset_on_close(int descriptor) {
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}
