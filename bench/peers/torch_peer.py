"""PyTorch and timm as a peer of `vitc bench --peers`: times timm's models and exports them to ONNX.

Answers requests of one JSON object a line on standard input with one JSON object a line on standard output:

    {"id": 1, "op": "hello"}
    {"id": 2, "op": "export", "model": NAME, "dtype": "f32" | "f16", "shape": [B, 3, H, W], "file": PATH}
    {"id": 3, "op": "open", "model": NAME, "dtype": ..., "shape": ..., "ways": ["eager", "graph", "compile"]}
    {"id": 4, "op": "time", "way": "eager", "where": "device" | "whole", "seconds": 0.25}
    {"id": 5, "op": "close"}

`device`: input and output stay where the model is, many calls are made before one synchronization, as a program does that
feeds predictions to the device. `whole`: a call from an input in ordinary CPU memory to the output there. f32 means f32: TF32 is
off. f16 is the model and its input in half precision. Weights are random, from a fixed seed: values change no time.
"""
import copy
import json
import os
import sys
import time
import warnings

# Libraries print what they like; answers have a channel of their own.
answers = os.fdopen(os.dup(1), 'w')
os.dup2(2, 1)
warnings.filterwarnings('ignore')

import torch
import timm

torch.backends.cuda.matmul.allow_tf32 = False
torch.backends.cudnn.allow_tf32 = False
torch.set_float32_matmul_precision('highest')
# Shapes never change here, so the fastest convolution is worth finding.
torch.backends.cudnn.benchmark = True

CUDA = torch.cuda.is_available()
DEVICE = torch.device('cuda' if CUDA else 'cpu')


def synchronize():
    if CUDA:
        torch.cuda.synchronize()


def once(call):
    start = time.perf_counter()
    call()
    synchronize()
    return time.perf_counter() - start


class Refused(Exception):
    """A request that cannot be met, said in words for people."""


class Peer:
    def __init__(self):
        self.name = None
        self.models = {}
        self.calls = {}
        self.input = None

    def hello(self, request):
        device = torch.cuda.get_device_name() if CUDA else f'CPU, {torch.get_num_threads()} threads'
        return {'torch': torch.__version__, 'timm': timm.__version__, 'cuda': torch.version.cuda, 'device': device, 'runsOn': 'gpu' if CUDA else 'cpu'}

    def model(self, name, dtype):
        """timm's model of this name, the latest one kept in both precisions."""
        if self.name != name:
            self.close({})
            self.models = {}
            if not timm.is_model(name):
                raise Refused(f'timm has no model {name}')
            torch.manual_seed(0)
            with DEVICE:
                self.models['f32'] = timm.create_model(name, pretrained=False).eval()
            self.name = name
        if dtype == 'f16' and 'f16' not in self.models:
            self.models['f16'] = copy.deepcopy(self.models['f32']).half()
        return self.models[dtype]

    def example(self, shape, dtype):
        torch.manual_seed(1)
        return torch.randn(*shape, device=DEVICE, dtype=torch.float16 if dtype == 'f16' else torch.float32)

    def export(self, request):
        model = self.model(request['model'], request['dtype'])
        temporary = request['file'] + '.tmp'
        try:
            with torch.no_grad():
                torch.onnx.export(model, (self.example(request['shape'], request['dtype']),), temporary, input_names=['image'], output_names=['logits'], opset_version=17, dynamo=False)
            os.replace(temporary, request['file'])
        finally:
            if os.path.exists(temporary):
                os.remove(temporary)
        return {'bytes': os.path.getsize(request['file'])}

    def open(self, request):
        self.close({})
        model = self.model(request['model'], request['dtype'])
        x = self.input = self.example(request['shape'], request['dtype'])
        refused = {}
        with torch.inference_mode():
            output = model(x)
            for way in request['ways']:
                try:
                    self.calls[way] = self.way(way, model, x)
                except Exception as failure:
                    refused[way] = reason(failure)
        synchronize()
        weights = sum(t.numel() for t in model.state_dict().values() if t.is_floating_point())
        return {'weights': weights, 'output': list(output.shape), 'refused': refused}

    def way(self, way, model, x):
        """The call on the device, and the whole call from and to CPU memory."""
        host = x.cpu()
        if way == 'eager':
            return lambda: model(x), lambda: model(host.to(DEVICE)).cpu()
        if way == 'graph':
            if not CUDA:
                raise Refused('CUDA graphs need a CUDA device')
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                for _ in range(3):
                    model(x)
            torch.cuda.current_stream().wait_stream(side)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                output = model(x)

            def whole():
                x.copy_(host)
                graph.replay()
                return output.cpu()

            return graph.replay, whole
        if way == 'compile':
            torch._dynamo.reset()
            compiled = torch.compile(model, mode='reduce-overhead')
            for _ in range(3):
                compiled(x)
            return lambda: compiled(x), lambda: compiled(host.to(DEVICE)).cpu()
        raise Refused(f'there is no way {way} to run a model')

    def time(self, request):
        if request['way'] not in self.calls:
            raise Refused(f'no model is open to be run by {request["way"]}')
        on_device, whole = self.calls[request['way']]
        seconds = request['seconds']
        call, repeats = (on_device, None) if request['where'] == 'device' else (whole, 1)
        with torch.inference_mode():
            guess = once(call)
            end = time.perf_counter() + seconds / 4
            while time.perf_counter() < end:
                guess = once(call)
            repeats = repeats or max(1, min(50, round(0.1 / max(guess, 1e-4))))
            samples = []
            end = time.perf_counter() + seconds
            while time.perf_counter() < end or len(samples) < 3:
                samples.append(round(1e3 * once(lambda: [call() for _ in range(repeats)] and None) / repeats, 5))
        return {'samples': samples}

    def close(self, request):
        self.calls = {}
        self.input = None
        if CUDA:
            torch.cuda.empty_cache()
        return {}


def reason(failure):
    text = str(failure).strip().splitlines()
    return f'{type(failure).__name__}: {text[0][:300]}' if text and not isinstance(failure, Refused) else str(failure) or type(failure).__name__


OPERATIONS = {'hello', 'export', 'open', 'time', 'close'}


def main():
    peer = Peer()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if request['op'] not in OPERATIONS:
                raise Refused(f'there is no operation {request["op"]}')
            answer = getattr(peer, request['op'])(request)
        except Exception as failure:
            answer = {'error': reason(failure)}
        print(json.dumps({'id': request['id'], **answer}), file=answers, flush=True)


main()
