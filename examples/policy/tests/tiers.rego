# What holds for the three tiers: weir test -p examples/policy/tiers.yaml examples/policy/tests/tiers.rego
package weir.tiers

import rego.v1

test_database_is_reachable_from_the_application if {
	some rule in input.rules
	rule.enabled
	rule.action == "allow"
	"$application" in rule.source_cidrs
	"$database" in rule.destination_cidrs
	5432 in rule.destination_ports
}

# As it is written, lists by name.
test_database_is_written_for_the_application if {
	some rule in input.policy_raw.rules
	rule.name == "database"
	rule.source_cidrs == "$application"
}
