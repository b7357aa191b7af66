"""Writes ops.json: small cases of ops with outputs and gradients as PyTorch computes them in float64.

python ops.py > ops.json
"""

import json

import torch
import torch.nn.functional as F

torch.manual_seed(20260127)
torch.set_default_dtype(torch.float64)
cases = []


def tensor(t, layout):
    return {"layout": layout, "shape": list(t.shape), "values": t.detach().reshape(-1).tolist()}


def case(name, op, attributes, inputs, layouts, f, differentiable, after=None):
    """One case; `f(*inputs)` is the output, `differentiable` the inputs that get gradients."""
    inputs = [t.clone().requires_grad_(i in differentiable) for i, t in enumerate(inputs)]
    out = {"name": name, "op": op, "attributes": attributes,
           "inputs": [tensor(t, l) for t, l in zip(inputs, layouts)]}
    y = f(*inputs)
    out["output"] = tensor(y, "plain")
    if differentiable:
        dy = torch.randn_like(y)
        y.backward(dy)
        out["dy"] = tensor(dy, "plain")
        out["grads"] = {str(i): tensor(inputs[i].grad, "plain") for i in differentiable}
    cases.append(out)


def conv(n, ci, co, h, w, k, s, p, d, g, bias):
    inputs = [torch.randn(n, ci, h, w), torch.randn(co, ci // g, k, k)] + ([torch.randn(co)] if bias else [])
    attributes = {"stride": [s, s], "padding": [p, p], "dilation": [d, d], "groups": g}
    case(f"conv2d {ci}->{co} k{k} s{s} p{p} d{d} g{g}", "conv2d", attributes, inputs,
         ["image", "kernel", "plain"], lambda x, w, b=None: F.conv2d(x, w, b, s, p, d, g), range(len(inputs)))


conv(2, 3, 4, 6, 5, 3, 1, 1, 1, 1, True)
conv(1, 4, 6, 7, 7, 3, 2, 1, 1, 1, False)
conv(1, 4, 6, 8, 8, 3, 1, 2, 2, 2, True)
conv(1, 3, 2, 11, 9, 7, 2, 3, 1, 1, True)
conv(2, 5, 1, 4, 4, 1, 1, 0, 1, 1, True)
conv(1, 4, 4, 6, 6, 3, 1, 1, 1, 4, True)

for n, ci, co, h, w, k, s, p in [(2, 4, 3, 3, 5, 2, 2, 0), (1, 3, 2, 4, 4, 3, 2, 1)]:
    y = F.conv_transpose2d(torch.zeros(n, ci, h, w), torch.zeros(ci, co, k, k), None, s, p)
    attributes = {"conv": {"stride": [s, s], "padding": [p, p], "dilation": [1, 1], "groups": 1}, "output": list(y.shape[2:])}
    case(f"conv_transpose2d {ci}->{co} k{k} s{s} p{p}", "conv_transpose2d", attributes,
         [torch.randn(n, ci, h, w), torch.randn(ci, co, k, k), torch.randn(co)], ["image", "kernel", "plain"],
         lambda x, w, b: F.conv_transpose2d(x, w, b, s, p), range(3))

x = torch.randn(3, 4, 5, 2) * 3 + 7
case("batch_norm of a batch", "batch_norm", {"eps": 1e-5, "training": True}, [x, torch.randn(4), torch.randn(4)],
     ["image", "plain", "plain"], lambda x, g, b: F.batch_norm(x, None, None, g, b, True), range(3))
stats = torch.stack([torch.randn(4), torch.rand(4) + 0.5])
case("batch_norm with running statistics", "batch_norm", {"eps": 1e-5, "training": False},
     [x, stats, torch.randn(4), torch.randn(4)], ["image", "plain", "plain", "plain"],
     lambda x, s, g, b: F.batch_norm(x, s[0], s[1], g, b, False), [0, 2, 3])

for k, s, p, h, w in [(2, 2, 0, 6, 4), (2, 2, 0, 5, 7), (3, 2, 1, 7, 7), (3, 2, 0, 8, 8), (3, 1, 1, 5, 5)]:
    case(f"max_pool2d k{k} s{s} p{p} {h}x{w}", "max_pool2d", {"kernel": [k, k], "stride": [s, s], "padding": [p, p]},
         [torch.randn(2, 3, h, w)], ["image"], lambda x: F.max_pool2d(x, k, s, p), [0])
case("max_pool2d of equal values", "max_pool2d", {"kernel": [2, 2], "stride": [2, 2], "padding": [0, 0]},
     [torch.tensor([[1.0, 1, 0, 2], [1, 1, 2, 0]]).reshape(1, 1, 2, 4)], ["image"], lambda x: F.max_pool2d(x, 2), [0])

for mode, word, corners in [("bilinear", "bilinear", False), ("bilinear", "bilinear_corners", True), ("nearest", "nearest", None)]:
    for h, w, oh, ow in [(3, 4, 6, 8), (5, 4, 3, 9), (2, 2, 1, 1)]:
        case(f"resize2d {word} {h}x{w} to {oh}x{ow}", "resize2d", {"size": [oh, ow], "mode": word}, [torch.randn(2, 3, h, w)],
             ["image"], lambda x: F.interpolate(x, (oh, ow), mode=mode, align_corners=corners), [0])

x = torch.randn(2, 3, 2, 2) * 4
x[0, 0, 0, 0] = 0
case("relu", "relu", None, [x], ["image"], F.relu, [0])
wide = torch.cat([torch.randn(8) * 3, torch.tensor([-800.0, 800.0, 0.0, -40.0])])
case("sigmoid", "sigmoid", None, [wide], ["plain"], torch.sigmoid, [0])
t = (torch.rand(12) > 0.5).double()
case("bce_with_logits", "bce_with_logits", None, [wide, t], ["plain"] * 2,
     lambda x, t: F.binary_cross_entropy_with_logits(x, t, reduction="none"), [0])
x, t = torch.randn(2, 4, 3, 2) * 3, torch.randint(0, 4, (2, 1, 3, 2)).double()
case("cross_entropy", "cross_entropy", None, [x, t], ["image"] * 2,
     lambda x, t: F.cross_entropy(x, t[:, 0].long(), reduction="none")[:, None], [0])

for ta in (False, True):
    for tb in (False, True):
        a, b = torch.randn(2, 3, 4), torch.randn(2, 4, 5)
        a, b = (a.mT.contiguous() if ta else a), (b.mT.contiguous() if tb else b)
        case(f"matmul {ta} {tb}", "matmul", {"transpose_a": ta, "transpose_b": tb}, [a, b], ["plain"] * 2,
             lambda a, b: (a.mT if ta else a) @ (b.mT if tb else b), [0, 1])


def optimiser(name, op, attributes, make, moments, schedule):
    """Three steps with gradients of their own; `after` is the parameter after each."""
    w = torch.randn(2, 3).requires_grad_()
    out = {"name": name, "op": op, "attributes": attributes, "inputs": [tensor(w, "plain")], "moments": moments, "steps": []}
    opt = make(w)
    for t in range(1, 4):
        g = torch.randn(2, 3)
        w.grad = g.clone()
        opt.step()
        out["steps"].append({"g": tensor(g, "plain"), "schedule": schedule(t), "after": tensor(w, "plain")})
    cases.append(out)


def adam(t):
    return [1e-2, 1 / (1 - 0.9**t), 1 / (1 - 0.999**t) ** 0.5]


betas = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8}
optimiser("adam", "adam", {**betas, "weight_decay": 0.1, "decoupled": False},
          lambda w: torch.optim.Adam([w], 1e-2, weight_decay=0.1), 2, adam)
optimiser("adamw", "adam", {**betas, "weight_decay": 0.1, "decoupled": True},
          lambda w: torch.optim.AdamW([w], 1e-2, weight_decay=0.1), 2, adam)
for nesterov in (False, True):
    optimiser(f"sgd nesterov={nesterov}", "sgd", {"momentum": 0.9, "weight_decay": 0.1, "nesterov": nesterov},
              lambda w: torch.optim.SGD([w], 1e-2, momentum=0.9, weight_decay=0.1, nesterov=nesterov), 1,
              lambda t: [1e-2, 1.0, 1.0])

print(json.dumps({"source": f"PyTorch {torch.__version__}, float64, seed 20260127", "cases": cases}))
