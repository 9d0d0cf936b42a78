/** Why a text could not be read, as a sentence with the text in it. */
export interface Fault {
  readonly fault: string;
}

export function isFault(parsed: unknown): parsed is Fault {
  return typeof parsed === 'object' && parsed !== null && 'fault' in parsed;
}
