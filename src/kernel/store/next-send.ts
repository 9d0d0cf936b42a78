import type { WriterRow } from './writer-row.ts';

/** The next step of a process for a write of its own. */
type NextSend = 'lookUp' | 'writeHere' | 'deliver' | 'wait';

/**
 * Decides it by who writes now.
 *
 * @param unansweredIn the epoch in which it was last sent without an answer: while that lasts it may still be carried out
 */
export function nextSend(
  unansweredIn: number | undefined,
  { epoch, address }: Pick<WriterRow, 'epoch' | 'address'>,
  isWriter: boolean,
): NextSend {
  // In a later epoch nothing of an earlier one can still be committed: the record is conclusive.
  if (unansweredIn !== undefined && epoch > unansweredIn) return 'lookUp';
  // Another process that got the same id carries it out once; this one does not.
  if (isWriter) return unansweredIn === undefined ? 'writeHere' : 'wait';
  return address === undefined ? 'wait' : 'deliver';
}
