// concat: feature maps side by side along the channels. CPU twin: cpu::concat.
{% set entry = "concat" %}
{% include "shared/concat" %}
