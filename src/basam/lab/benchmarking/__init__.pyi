from basam.lab.benchmarking import page as page
from basam.lab.benchmarking.running import Benchmark as Benchmark
from basam.lab.benchmarking.running import benchmark as benchmark
from basam.lab.benchmarking.settings import BenchmarkEntry as BenchmarkEntry
from basam.lab.benchmarking.settings import BenchmarkSettings as BenchmarkSettings
