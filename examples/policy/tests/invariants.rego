# What holds for every policy: weir test -p POLICY examples/policy/tests/invariants.rego
package weir.invariants

import rego.v1

test_default_deny if input.default_action == "deny"

deny contains message if {
	some rule in input.rules
	rule.enabled
	rule.action in {"deny", "reject"}
	rule.protocol in {"icmp", "any"}
	not narrowed(rule)
	message := sprintf("%s denies all ICMP: path MTU discovery needs its errors", [rule.name])
}

deny contains message if {
	some rule in input.rules
	rule.action == "rate_limit"
	not has_rate(rule)
	message := sprintf("%s limits without a rate", [rule.name])
}

narrowed(rule) if count(rule.source_cidrs) > 0

narrowed(rule) if count(rule.destination_cidrs) > 0

narrowed(rule) if count(rule.destination_ports) > 0

narrowed(rule) if count(rule.source_ports) > 0

narrowed(rule) if is_string(rule.expression)

has_rate(rule) if rule.rate_limit_pps > 0

has_rate(rule) if rule.rate_limit_bps > 0
