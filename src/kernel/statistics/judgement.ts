import type { Verdict } from './verdict.ts';

/** A verdict without its version. */
export type Judgement = Omit<Verdict, 'judgeVersion'>;
