// Receives datagrams on loopback and drops them: the log daemon of a peer that writes its log to syslog.
//
//   sink -p PORT
//   cc -O2 -o sink sink.c
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv) {
    int port = getopt(argc, argv, "p:") == 'p' ? atoi(optarg) : 0;
    if (port <= 0) { fprintf(stderr, "usage: sink -p PORT\n"); return 64; }
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (bind(fd, (struct sockaddr *)&address, sizeof address)) { perror("sink"); return 1; }
    static char buffer[65536];
    for (;;) (void)!recv(fd, buffer, sizeof buffer, 0);
}
