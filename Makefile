# A short way to the presets of CMakePresets.json; CMake does the work.
.PHONY: all bench coverage demo check fuzz release asan format clean

all:
	scripts/build.sh dev
release:
	scripts/build.sh release
asan:
	scripts/build.sh asan
demo:
	./demo.sh
check:
	./check.sh
format:
	git ls-files '*.c' '*.h' | xargs clang-format -i
clean:
	rm -rf build
# Without end: every target for ten minutes, as many at a time as there are processors, over and over. ENGINE=afl for AFL++.
# fuzz/run.sh SECONDS, or fuzz/afl.sh SECONDS, for less.
fuzz:
	ENGINE=$(ENGINE) fuzz/for_ever.sh
bench:
	bench/run.sh
# Which lines and branches of the core floors the tests run: scripts/coverage.sh.
coverage:
	scripts/coverage.sh
