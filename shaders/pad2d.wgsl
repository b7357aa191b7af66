// pad2d: zeros around a feature map. CPU twin: cpu::pad2d.
{% set entry = "pad2d" %}
{% include "shared/window" %}
