/** More programs with fixed seeds: programs.test.ts. */
import { testFixed } from './suite.ts';

testFixed(2);
