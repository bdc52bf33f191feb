/** E02xx to E06xx: names, values, shapes, parameters, models; E070x: limits of evaluation. */
import type { CodeInfo } from '../codes.ts';
import { MODEL_CODES } from './models.ts';
import { NAME_CODES } from './names.ts';
import { PARAMETER_CODES } from './parameters.ts';
import { SHAPE_CODES } from './shapes.ts';
import { VALUE_CODES } from './values.ts';

export const SEMANTIC_CODES = { ...NAME_CODES, ...VALUE_CODES, ...SHAPE_CODES, ...PARAMETER_CODES, ...MODEL_CODES } as const satisfies Record<string, CodeInfo>;
