/** Why a text could not be parsed, as a sentence that quotes it. */
export interface Fault {
  readonly fault: string;
}

export function isFault(parsed: unknown): parsed is Fault {
  return typeof parsed === 'object' && parsed !== null && 'fault' in parsed;
}
