/** Why an expression cannot be read, or does not fit its types. */
export class CelSyntaxError extends Error {
  /** Where in the text, in UTF-16 units. */
  readonly at: number;

  constructor(message: string, at: number) {
    super(message);
    this.name = 'CelSyntaxError';
    this.at = at;
  }
}

/** Why an expression has no value. `&&`, `||` and loops may go on without it. */
export class CelError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'CelError';
  }
}

/** An expression used up what it may cost. Nothing goes on. */
export class CelCostError extends Error {
  constructor(costMax: number) {
    super(`it cost more than ${costMax} units`);
    this.name = 'CelCostError';
  }
}

/** `3:14`, both counted from 1. */
export function placeIn(text: string, at: number): string {
  const before = text.slice(0, at).split('\n');
  return `${before.length}:${(before.at(-1) ?? '').length + 1}`;
}
