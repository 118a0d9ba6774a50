#ifndef TOLLGATE_CLINUX_H
#define TOLLGATE_CLINUX_H

// What Swift's Glibc module lacks: epoll, eventfd, accept4, and socket addresses without casts between their types.
// Every function returns a negative errno where the system call fails.

#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/types.h>

#pragma clang assume_nonnull begin

// One event, without the packed layout of struct epoll_event.
struct tollgate_event {
    uint64_t token;
    uint32_t events;
};

// An IPv4 or IPv6 address and port as the system calls take it.
struct tollgate_address {
    struct sockaddr_storage storage;
    uint32_t length;
};

int tollgate_epoll_create(void);
int tollgate_epoll_add(int poll, int descriptor, uint32_t events, uint64_t token);
int tollgate_epoll_remove(int poll, int descriptor);
// Up to 128 events; an interrupted wait returns 0 events. `milliseconds` below 0 waits without end.
int tollgate_epoll_wait(int poll, struct tollgate_event *events, int count, int milliseconds);

// Cores that the calling thread may run on (sched_getaffinity(2)); an error where the kernel knows more than 1,024.
int tollgate_allowed_cores(void);

// Names the calling thread, cut to the 15 characters the kernel keeps.
void tollgate_name_thread(const char *name);

int tollgate_eventfd(void);
void tollgate_eventfd_signal(int descriptor);
void tollgate_eventfd_drain(int descriptor);

// Up to `count` addresses of the host; returns how many. Numeric ones only, unless `resolves`: then names, which blocks.
int tollgate_resolve(const char *host, uint16_t port, int resolves, struct tollgate_address *addresses, int count);
// The numeric host into `text` of 46 bytes; returns the port.
int tollgate_describe(const struct tollgate_address *address, char *text);
// The address of a listening TCP socket; an error for any other descriptor.
int tollgate_listening_address(int descriptor, struct tollgate_address *address);

// Non-blocking, close-on-exec sockets with TCP_NODELAY. Several may listen at one address where each `shares` it.
int tollgate_listen(const struct tollgate_address *address, int backlog, int shares);
// An error where somebody listens at the address already, also where that one shares it.
int tollgate_check_free(const struct tollgate_address *address);
// Makes a socket that another process has opened like those that are opened here.
int tollgate_adopt(int descriptor);
int tollgate_accept(int descriptor, struct tollgate_address *peer);
int tollgate_connect(const struct tollgate_address *address);
// What a finished connection attempt came to: 0 or a negative errno.
int tollgate_connect_result(int descriptor);

ssize_t tollgate_receive(int descriptor, void *bytes, size_t count);
// The same bytes come again with the next call.
ssize_t tollgate_peek(int descriptor, void *bytes, size_t count);
// One or two runs of bytes in one system call; never raises SIGPIPE.
ssize_t tollgate_send(int descriptor, const void *_Nullable first, size_t first_count, const void *_Nullable second,
                      size_t second_count);
// Bytes written that the peer's kernel has not acknowledged.
int tollgate_unacknowledged(int descriptor);
void tollgate_shutdown_output(int descriptor);
// The next close sends a reset.
void tollgate_reset_on_close(int descriptor);

#pragma clang assume_nonnull end

#endif
