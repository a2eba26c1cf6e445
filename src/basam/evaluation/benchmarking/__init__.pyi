from basam.evaluation.benchmarking import page as page
from basam.evaluation.benchmarking.running import Benchmark as Benchmark
from basam.evaluation.benchmarking.running import benchmark as benchmark
from basam.evaluation.benchmarking.settings import BenchmarkEntry as BenchmarkEntry
from basam.evaluation.benchmarking.settings import BenchmarkSettings as BenchmarkSettings
