# Reads what `ctest --verbose` says of the fuzz targets, and says how many inputs each has tried, how fast, and how many of
# the places that are counted in its program it has reached.
/^[0-9]+: INFO: Loaded 1 modules/ { split($0, part, /[()]/); split(part[2], word, " "); places[$1] = word[1] }
/^[0-9]+: .* cov: / { for (i = 1; i < NF; i++) if ($i == "cov:") reached[$1] = $(i + 1) }
/^[0-9]+: stat::number_of_executed_units:/ { tried[$1] = $3 }
/^[0-9]+: stat::average_exec_per_sec:/ { rate[$1] = $3 }
/ Test +#[0-9]+: fuzz_/ {
    sub(/^.*Test +#/, "")
    if ($1 in tried)
        printf "       %-20s %9d inputs, %6d a second, %5d of %5d places reached\n", $2, tried[$1], rate[$1], reached[$1], places[$1]
}
