"""The benchmarks: one file each, the load generator in `load`, other systems in `peers`."""
