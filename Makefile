# A short way to the presets of CMakePresets.json; CMake does the work.
.PHONY: all bench demo check release asan format clean

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
bench:
	bench/run.sh
