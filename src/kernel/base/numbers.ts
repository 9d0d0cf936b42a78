/** The first room. */
const FIRST = 16;

/** Numbers in a typed array that grows. */
export class Numbers<Column extends Int32Array | Float64Array> {
  #column: Column;
  readonly #make: (length: number) => Column;
  length = 0;

  constructor(make: (length: number) => Column) {
    this.#make = make;
    this.#column = make(0);
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
    this.#resize(this.length);
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

export function integers(): Numbers<Int32Array> {
  return new Numbers((length) => new Int32Array(length));
}

export function floats(): Numbers<Float64Array> {
  return new Numbers((length) => new Float64Array(length));
}
