// Sends exactly N requests over C keep-alive connections and accounts for every one of them.
//
// A benchmark tool counts what it likes to count; a soak must know what became of each request it sent: answered with
// which status and when, or cut (the connection ended without an answer), or truncated (it ended inside one).
//
// With a pace, latency counts from the moment a request was due, also when all connections were busy then: a gateway that
// holds answers back cannot slow down the clock it is measured by.
//
//   volley -p PORT -c CONNECTIONS -n REQUESTS -f REQUESTS_FILE [-r REQUESTS_PER_SECOND]
//   cc -O2 -o volley volley.c
//
// REQUESTS_FILE: one `path<TAB>token` a line. Prints one JSON object; `events` holds [unix milliseconds, what] of the
// first 10,000 answers that were not 2xx and of every cut, what = the status, 0 = cut, -1 = truncated, -2 = not accepted;
// `latency` holds [median, 99 %, highest] in microseconds for each status; `withoutRetryAfter` counts 503 that lack it.
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
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_EVENTS = 256, INPUT = 65536, KEPT = 10000 };

struct connection {
    int fd;
    bool waiting;       // a request is out and not answered
    bool parked;        // idle until the pace allows the next request
    double due;         // when the request in progress should have been sent, seconds
    bool first;         // the first request of this connection: a close before its answer is a failed new connection
    size_t out, length; // of the request in progress
    const char *request;
    size_t used;
    char input[INPUT];
};

static struct { long when; int what; } events[KEPT];
static struct { int status; float seconds; } *latencies; // of each answer
static int kept;
static long statuses[600], sent, answered, cut, truncated, unaccepted, told, cut_new, opened, without_retry_after;
static char **requests;
static size_t *lengths, count, next_request;
static long total, rate;
static double began;
static int epoll, alive;
static struct sockaddr_in address;

static void note(int what) {
    if (kept == KEPT) return;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    events[kept].when = now.tv_sec * 1000 + now.tv_nsec / 1000000;
    events[kept++].what = what;
}

static void load(const char *path) {
    FILE *file = fopen(path, "r");
    if (!file) { perror(path); exit(1); }
    char line[16384], request[20000];
    size_t room = 0;
    while (fgets(line, sizeof line, file)) {
        char *target = strtok(line, "\t"), *token = strtok(NULL, "\n");
        if (!target || !token) continue;
        int n = snprintf(request, sizeof request,
            "GET %s HTTP/1.1\r\nHost: soak.example\r\nAuthorization: Bearer %s\r\n\r\n", target, token);
        if (count == room) {
            room = room ? room * 2 : 1024;
            requests = realloc(requests, room * sizeof *requests);
            lengths = realloc(lengths, room * sizeof *lengths);
        }
        requests[count] = strdup(request);
        lengths[count++] = (size_t)n;
    }
    fclose(file);
    if (!count) { fprintf(stderr, "%s: no requests\n", path); exit(1); }
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

// When the next request is due.
static double turn(void) { return rate ? began + (double)sent / (double)rate : seconds(); }

// Whether the pace allows another request now.
static bool due(void) { return !rate || turn() <= seconds(); }

static bool start(struct connection *c) {
    if (sent == total) return false;
    c->due = turn();
    sent++;
    c->request = requests[next_request];
    c->length = lengths[next_request];
    next_request = (next_request + 1) % count;
    c->out = c->used = 0;
    c->waiting = true;
    return true;
}

static void push(struct connection *c) {
    while (c->out < c->length) {
        ssize_t n = send(c->fd, c->request + c->out, c->length - c->out, MSG_NOSIGNAL);
        if (n < 0) return; // the rest goes when it can; a broken connection shows on reading
        c->out += (size_t)n;
    }
}

// Opens the connection anew with a request on it; ends it for good when all requests are spent.
static void open_connection(struct connection *c) {
    int one = 1;
    for (int attempts = 0;; attempts++) {
        if (sent == total || attempts == 1000) { alive--; return; }
        c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (c->fd >= 0 && connect(c->fd, (struct sockaddr *)&address, sizeof address) == 0) break;
        if (c->fd >= 0) close(c->fd);
        unaccepted++;
        note(-2);
        usleep(1000);
    }
    opened++;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &e);
    c->first = true;
    if (!due()) c->parked = true;
    else if (start(c)) push(c);
}

static void ended(struct connection *c) {
    if (c->waiting) {
        if (c->used) { truncated++; note(-1); }
        else { cut++; cut_new += c->first; note(0); }
    }
    c->waiting = c->parked = false;
    close(c->fd);
    open_connection(c);
}

static const char *field(const char *head, const char *end, const char *name) {
    size_t length = strlen(name);
    for (const char *at = head; (at = memchr(at, '\n', (size_t)(end - at)));) {
        at++;
        if ((size_t)(end - at) > length && !strncasecmp(at, name, length)) return at + length;
    }
    return NULL;
}

static void receive(struct connection *c) {
    ssize_t n = recv(c->fd, c->input + c->used, INPUT - c->used - 1, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0 || !c->waiting) { ended(c); return; }
    c->used += (size_t)n;
    c->input[c->used] = 0;
    char *end = memmem(c->input, c->used, "\r\n\r\n", 4);
    if (!end) return;
    end += 4;
    const char *length = field(c->input, end, "content-length:");
    size_t whole = (size_t)(end - c->input) + (length ? strtoul(length, NULL, 10) : 0);
    if (c->used < whole) return;
    int status = atoi(c->input + 9);
    if (status < 100 || status > 599) status = 599;
    statuses[status]++;
    latencies[answered].status = status;
    latencies[answered++].seconds = (float)(seconds() - c->due);
    if (status == 503 && !field(c->input, end, "retry-after:")) without_retry_after++;
    if (status / 100 != 2) note(status);
    c->waiting = c->first = false;
    const char *connection = field(c->input, end, "connection:");
    if (connection && strncasecmp(connection + strspn(connection, " "), "close", 5) == 0) {
        told++;
        close(c->fd);
        open_connection(c);
    } else if (sent < total && !due()) {
        c->parked = true;
    } else if (start(c)) {
        push(c);
    } else {
        close(c->fd);
        alive--;
    }
}

// Sends on the connections that waited for their turn; closes them when there is nothing more to send.
static void resume(struct connection *all, int connections) {
    static int next;
    for (int i = 0; i < connections; i++) {
        struct connection *c = &all[next];
        if (sent < total && !due()) return;
        next = (next + 1) % connections;
        if (!c->parked) continue;
        c->parked = false;
        if (start(c)) { push(c); continue; }
        close(c->fd);
        alive--;
    }
}

static int by_status_and_time(const void *a, const void *b) {
    const typeof(*latencies) *x = a, *y = b;
    if (x->status != y->status) return x->status - y->status;
    return (x->seconds > y->seconds) - (x->seconds < y->seconds);
}

static void print_latencies(void) {
    qsort(latencies, (size_t)answered, sizeof *latencies, by_status_and_time);
    for (long from = 0, n; from < answered; from += n) {
        n = statuses[latencies[from].status];
        printf("%s\"%d\":[%.0f,%.0f,%.0f]", from ? "," : "", latencies[from].status,
               latencies[from + n / 2].seconds * 1e6, latencies[from + n * 99 / 100].seconds * 1e6,
               latencies[from + n - 1].seconds * 1e6);
    }
}

// How long to wait for an event: until the next request is due, when a connection could send it.
static struct timespec patience(void) {
    if (!rate || sent == total) return (struct timespec){.tv_sec = 1};
    double wait = turn() - seconds();
    // All connections are busy: only an answer changes anything.
    if (wait <= 0) return (struct timespec){.tv_nsec = 1000000};
    return (struct timespec){.tv_sec = (time_t)wait, .tv_nsec = (long)((wait - (double)(time_t)wait) * 1e9)};
}

int main(int argc, char **argv) {
    int port = 0, connections = 64, option;
    const char *file = NULL;
    while ((option = getopt(argc, argv, "p:c:n:f:r:")) != -1) {
        if (option == 'p') port = atoi(optarg);
        else if (option == 'c') connections = atoi(optarg);
        else if (option == 'n') total = atol(optarg);
        else if (option == 'r') rate = atol(optarg);
        else if (option == 'f') file = optarg;
        else return 64;
    }
    if (port <= 0 || total <= 0 || connections <= 0 || !file) {
        fprintf(stderr, "usage: volley -p PORT -c CONNECTIONS -n REQUESTS -f REQUESTS_FILE [-r PER_SECOND]\n");
        return 64;
    }
    signal(SIGPIPE, SIG_IGN);
    load(file);
    address = (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    epoll = epoll_create1(EPOLL_CLOEXEC);
    alive = connections;
    latencies = calloc((size_t)total, sizeof *latencies);
    prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
    began = seconds();
    struct connection *all = calloc((size_t)connections, sizeof *all);
    for (int i = 0; i < connections; i++) open_connection(&all[i]);
    struct epoll_event ready[MAX_EVENTS];
    double last = began;
    for (long answers = 0; alive > 0; answers = answered) {
        struct timespec wait = patience();
        int n = epoll_pwait2(epoll, ready, MAX_EVENTS, &wait, NULL);
        if (n > 0 || answers != answered) last = seconds();
        if (seconds() - last > 30) { fprintf(stderr, "volley: nothing happened for 30 s, %d connections wait\n", alive); break; }
        for (int i = 0; i < n; i++) {
            struct connection *c = ready[i].data.ptr;
            if (c->out < c->length) push(c);
            receive(c);
        }
        if (rate) resume(all, connections);
    }
    printf("{\"sent\":%ld,\"answered\":%ld,\"cut\":%ld,\"cutOnNewConnection\":%ld,\"truncated\":%ld,\"unaccepted\":%ld,"
           "\"toldToClose\":%ld,\"opened\":%ld,\"stuck\":%d,\"withoutRetryAfter\":%ld,\"statuses\":{",
           sent, answered, cut, cut_new, truncated, unaccepted, told, opened, alive, without_retry_after);
    for (int s = 0, comma = 0; s < 600; s++)
        if (statuses[s]) printf("%s\"%d\":%ld", comma++ ? "," : "", s, statuses[s]);
    printf("},\"latency\":{");
    print_latencies();
    printf("},\"events\":[");
    for (int i = 0; i < kept; i++) printf("%s[%ld,%d]", i ? "," : "", events[i].when, events[i].what);
    printf("]}\n");
    return 0;
}
