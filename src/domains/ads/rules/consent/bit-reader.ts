const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const BITS_PER_CHARACTER = 6;
const VALUES = new Map(Array.from(ALPHABET, (character, value) => [character.charCodeAt(0), value]));

/** Reads numbers from a base64url text, bit by bit. */
export class BitReader {
  /** Whether the text ended before all that was asked for; what was missing read as 0. */
  isShort = false;
  /** Whether the text has a character that is none of base64url. */
  readonly isForeign: boolean;
  readonly #values: Uint8Array;
  #at = 0;

  constructor(text: string) {
    this.#values = new Uint8Array(text.length);
    let isForeign = false;
    for (let index = 0; index < text.length; index += 1) {
      const value = VALUES.get(text.charCodeAt(index));
      if (value === undefined) isForeign = true;
      this.#values[index] = value ?? 0;
    }
    this.isForeign = isForeign;
  }

  readBit(): boolean {
    const index = Math.floor(this.#at / BITS_PER_CHARACTER);
    const shift = BITS_PER_CHARACTER - 1 - (this.#at % BITS_PER_CHARACTER);
    this.#at += 1;
    const value = this.#values[index];
    if (value === undefined) this.isShort = true;
    return (((value ?? 0) >> shift) & 1) === 1;
  }

  /** An unsigned number of so many bits, 48 at most. */
  readNumber(width: number): number {
    let value = 0;
    for (let bit = 0; bit < width; bit += 1) value = value * 2 + Number(this.readBit());
    return value;
  }

  skip(width: number): void {
    this.#at += width;
  }

  /** The numbers, from 1 on, of the bits that are set among the next ones. */
  readMembers(width: number): ReadonlySet<number> {
    const members = new Set<number>();
    for (let id = 1; id <= width; id += 1) if (this.readBit()) members.add(id);
    return members;
  }
}
