import type { Verdict } from './verdict.ts';

/** A verdict before it is signed with the version. */
export type Judgement = Omit<Verdict, 'judgeVersion'>;
