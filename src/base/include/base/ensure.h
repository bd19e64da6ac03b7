/* Assertions: what our own code guarantees. They stay on in release builds. Input from a peer never reaches one. */
#ifndef BASE_ENSURE_H
#define BASE_ENSURE_H

#define ENSURE(condition)                                                                                        \
    do {                                                                                                         \
        if (__builtin_expect(!(condition), 0)) __builtin_trap();                                                 \
    } while (0)

/* The compiler insists that the result is looked at. */
#define MUST_USE __attribute__((warn_unused_result))

#define ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The struct of `type` whose `member` is at `pointer`. */
#define CONTAINER_OF(pointer, type, member) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

#endif
