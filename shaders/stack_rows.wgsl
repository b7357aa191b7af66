// stack_rows: vectors as the rows of a matrix. CPU twin: cpu::stack_rows.
{% set entry = "stack_rows" %}
{% include "shared/concat" %}
