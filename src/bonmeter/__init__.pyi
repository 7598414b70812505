from bonmeter.bounds.evaluate import kl_gap_bounds as kl_gap_bounds
from bonmeter.bounds.evaluate import win_rate_gap_bounds as win_rate_gap_bounds
from bonmeter.certified.decide import certify as certify
from bonmeter.exact.estimator import expected_kl_estimator as expected_kl_estimator
from bonmeter.exact.estimator import kl_estimator as kl_estimator
from bonmeter.exact.top import TopPolicy as TopPolicy
from bonmeter.exact.top import kl_bracket as kl_bracket
from bonmeter.exact.top import kl_lower_bound as kl_lower_bound
from bonmeter.exact.tradeoff import best_of_n_tradeoff as best_of_n_tradeoff
from bonmeter.exact.tradeoff import rewind_and_repeat as rewind_and_repeat
from bonmeter.exact.tradeoff import tilted_tradeoff as tilted_tradeoff
from bonmeter.exact.values import analytical_kl as analytical_kl
from bonmeter.exact.values import best_of_n_log_pmf as best_of_n_log_pmf
from bonmeter.exact.values import exact_kl as exact_kl
from bonmeter.exact.values import exact_win_rate as exact_win_rate
from bonmeter.exact.values import kl_gap as kl_gap
from bonmeter.exact.values import win_rate_gap as win_rate_gap
from bonmeter.logs.read import read_log as read_log
from bonmeter.logs.write import write_log as write_log
from bonmeter.policies.implicit import GeometricPolicy as GeometricPolicy
from bonmeter.policies.implicit import UniformPolicy as UniformPolicy
from bonmeter.policies.listed import Policy as Policy
from bonmeter.pools.estimate import best_of_n_weights as best_of_n_weights
from bonmeter.pools.estimate import estimate_kl as estimate_kl
from bonmeter.pools.estimate import kl_interval as kl_interval
from bonmeter.pools.estimate import mean_interval as mean_interval
from bonmeter.pools.win_rates import estimate_win_rate as estimate_win_rate
from bonmeter.report.write import write_report as write_report
from bonmeter.report.write import write_tables as write_tables

PUBLIC: dict[str, str]
__all__: list[str]

def __getattr__(name: str) -> object: ...
