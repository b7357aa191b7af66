// slice: a run of indices along one axis. CPU twin: cpu::slice.
{% set entry = "slice" %}
{% include "shared/window" %}
