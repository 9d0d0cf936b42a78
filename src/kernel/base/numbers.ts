/** The first room. */
const FIRST = 16;

/** Numbers in a typed array that grows. */
export class Numbers<Column extends Int32Array | Float64Array> {
  #column: Column;
  readonly #make: (length: number) => Column;
  length = 0;

  /** @param room for so many, so that they are not moved as it grows */
  constructor(make: (length: number) => Column, room = 0) {
    this.#make = make;
    this.#column = make(room);
  }

  push(value: number): void {
    if (this.length === this.#column.length) this.#resize(Math.max(FIRST, this.length * 2));
    this.#column[this.length] = value;
    this.length += 1;
  }

  at(position: number): number {
    return this.#column[position] as number;
  }

  /** Gives back the room for more. */
  trim(): this {
    if (this.#column.length > this.length) this.#resize(this.length);
    return this;
  }

  /** The array itself, once nothing is added any more. */
  toColumn(): Column {
    return this.trim().#column;
  }

  #resize(length: number): void {
    const column = this.#make(length);
    column.set(this.#column.subarray(0, this.length));
    this.#column = column;
  }
}

export function integers(room?: number): Numbers<Int32Array> {
  return new Numbers((length) => new Int32Array(length), room);
}

export function floats(room?: number): Numbers<Float64Array> {
  return new Numbers((length) => new Float64Array(length), room);
}
