// crop2d: a rectangle of a feature map. CPU twin: cpu::crop2d.
{% set entry = "crop2d" %}
{% include "shared/window" %}
