from basam.evaluation.benchmarking import page as page
from basam.evaluation.benchmarking.running import Benchmark as Benchmark
from basam.evaluation.benchmarking.running import BenchmarkEntry as BenchmarkEntry
from basam.evaluation.benchmarking.running import BenchmarkSettings as BenchmarkSettings
from basam.evaluation.benchmarking.running import benchmark as benchmark
