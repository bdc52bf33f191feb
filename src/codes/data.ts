/** E08xx: weights, pictures and goldens. */
import type { CodeInfo } from '../codes.ts';

export const DATA_CODES = {
  E0801: {
    title: 'unreadable weights file',
    explanation: 'The file is no safetensors file, is cut short, or describes tensors that overlap, leave the file or disagree with their own shape. Nothing of it was used.',
  },
  E0802: {
    title: 'weights do not fit the model',
    explanation: 'Parameters are read by their path of labels, or by the model\'s `weights { }` rules. All that is missing, unexpected or of another shape is listed. A checkpoint of another variant (classes, patch, image size) fits only with the same configuration: see `--set`.',
  },
  E0803: { title: 'unreadable golden', explanation: 'The golden is no JSON of the expected form, or its safetensors file is missing or does not fit it.' },
  E0804: {
    title: 'the model is not the golden\'s',
    explanation: 'Inputs, outputs or parameters differ in name or shape from what the golden lists. The lists show each difference.',
  },
  E0805: {
    title: 'no weights',
    explanation: 'The model has parameters, and nothing says what they are. `--weights FILE.safetensors` reads a checkpoint, `--seed N` makes values from the names, and a preset may name its own with `@weights("FILE")`.',
  },
  E0820: { title: 'no hub name', explanation: 'Weights of a hub are named hf:OWNER/NAME; hf:OWNER/NAME@REVISION takes a branch, tag or commit, hf:OWNER/NAME/FILE.safetensors one file.' },
  E0821: { title: 'not on the hub', explanation: 'The hub has no such repository, revision or file, or does not show it. Private repositories need a token in HF_TOKEN; another hub is named by HF_ENDPOINT.' },
  E0822: { title: 'download not complete', explanation: 'The connection ended before the file did. What came is kept, and the same command goes on from there.' },
  E0823: { title: 'download altered', explanation: 'The bytes that came do not have the hash that the hub lists. The file was removed.' },
  E0830: {
    title: 'unreadable tuning file',
    explanation: 'A tuning file is what `vitc tune` writes: a JSON object of format "vitc-tuning" with schedules by kernel (docs/tuning.md). Nothing of a file that is none, or of a version that this compiler does not read, is used.',
  },
  W0831: {
    title: 'tuned schedule not used',
    explanation: 'The tuning file names a kernel of the model, but the schedule it has for it is none that this compiler would measure for the kernel and the target: it is of another version, was tuned for a device with larger limits, or was altered. The rules choose the schedule, as without the file.',
  },
  W0832: {
    title: 'tuning file without effect',
    explanation: 'No kernel of the model is in the tuning file. Entries are of single kernels with their extents, so a model tuned at one batch size, dtype or target has other kernels at another. Tune it as it is compiled.',
  },
  E0810: {
    title: 'unreadable picture',
    explanation: 'The file is no picture that can be decoded (JPEG, PNG, WebP, AVIF, TIFF, GIF), or is cut short. In a folder, such files are named, left out, and the exit code is 1.',
  },
  E0811: { title: 'the model takes no picture', explanation: 'No input of the model is declared with `@image(...)`; give its inputs with `--input name=FILE.safetensors`.' },
  E0812: { title: 'input missing', explanation: 'The model has an input that was not given. Give pictures with `--image`, other tensors with `--input name=FILE.safetensors`.' },
  E0813: { title: 'input does not fit', explanation: 'The tensor given for an input has another shape or type than the model declares.' },
} as const satisfies Record<string, CodeInfo>;
