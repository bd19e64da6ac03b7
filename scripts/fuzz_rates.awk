# Reads what `ctest --verbose` says of the fuzz targets, and says how many inputs each has tried.
/^[0-9]+: stat::number_of_executed_units:/ { tried[$1] = $3 }
/^[0-9]+: stat::average_exec_per_sec:/ { rate[$1] = $3 }
/ Test +#[0-9]+: fuzz_/ {
    sub(/^.*Test +#/, "")
    if ($1 in tried) printf "       %-20s %9d inputs, %6d a second\n", $2, tried[$1], rate[$1]
}
