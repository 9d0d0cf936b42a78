import type { WriterRow } from './writer-row.ts';

/** What a process does next about a write of its own. */
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
  // What others were sent under the same id is done once by them, and not by this process.
  if (isWriter) return unansweredIn === undefined ? 'writeHere' : 'wait';
  return address === undefined ? 'wait' : 'deliver';
}
