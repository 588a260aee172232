/* sh -c, echo, sleep, true and false, as far as the simulated engine understands them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int run(char **words, int count) {
    FILE *out = stdout;
    if (count > 0 && !strcmp(words[count - 1], ">&2")) {
        out = stderr;
        count--;
    }
    if (count == 0) return 0;
    char *name = strrchr(words[0], '/');
    name = name ? name + 1 : words[0];
    if (!strcmp(name, "true")) return 0;
    if (!strcmp(name, "false")) return 1;
    if (!strcmp(name, "exit")) exit(count > 1 ? atoi(words[1]) : 0);
    if (!strcmp(name, "sleep")) {
        if (!strcmp(words[1], "infinity"))
            for (;;) pause();
        usleep((useconds_t)(atof(words[1]) * 1000000));
        return 0;
    }
    if (!strcmp(name, "echo")) {
        int newline = 1, first = 1;
        if (count > 1 && !strcmp(words[1], "-n")) {
            newline = 0;
            first = 2;
        }
        for (int i = first; i < count; i++) fprintf(out, "%s%s", words[i], i + 1 < count ? " " : "");
        if (newline) fputc('\n', out);
        fflush(out);
        /* Docker reads both streams by two readers: what is written apart in time is ordered. */
        usleep(100000);
        return 0;
    }
    return 127;
}

int main(int count, char **words) {
    char *name = strrchr(words[0], '/');
    name = name ? name + 1 : words[0];
    if (strcmp(name, "sh")) return run(words, count);
    int code = 0;
    char *rest = words[2], *part;
    while ((part = strsep(&rest, ";"))) {
        char *parts[64], *word;
        int n = 0;
        while ((word = strsep(&part, " ")))
            if (*word) parts[n++] = word;
        code = run(parts, n);
    }
    return code;
}
