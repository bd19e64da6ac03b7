/* GET over HTTP/1.0 to an IPv4 address, the body on standard output: a program to be linked statically, against a libc
 * that braid does not know. fetch ADDRESS PORT PATH; exit status 0 when the server closed after a 200. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv) {
    if (argc != 4) return 2;
    struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(argv[2]))};
    if (inet_pton(AF_INET, argv[1], &server.sin_addr) != 1) return 2;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&server, sizeof server) != 0) {
        perror("connect");
        return 1;
    }
    FILE *stream = fdopen(fd, "r+");
    if (stream == NULL) return 1;
    fprintf(stream, "GET %s HTTP/1.0\r\n\r\n", argv[3]);
    fflush(stream);
    char line[1024];
    if (fgets(line, sizeof line, stream) == NULL || strstr(line, " 200 ") == NULL) return 1;
    while (fgets(line, sizeof line, stream) != NULL && strcmp(line, "\r\n") != 0) {
    }
    static char block[65536];
    size_t count;
    while ((count = fread(block, 1, sizeof block, stream)) > 0) {
        if (fwrite(block, 1, count, stdout) != count) return 1;
    }
    return ferror(stream) != 0;
}
