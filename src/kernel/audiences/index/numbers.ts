/** Numbers that grow to be many: 8 bytes each at most in a `Float64Array`, 4 in an `Int32Array`, and up to twice that as they grow. */
export class Numbers<Column extends Int32Array | Float64Array> {
  #column: Column;
  readonly #make: (length: number) => Column;
  length = 0;

  constructor(make: (length: number) => Column) {
    this.#make = make;
    this.#column = make(16);
  }

  push(value: number): void {
    if (this.length === this.#column.length) {
      const larger = this.#make(this.length * 2);
      larger.set(this.#column);
      this.#column = larger;
    }
    this.#column[this.length] = value;
    this.length += 1;
  }

  at(position: number): number {
    return this.#column[position] as number;
  }

  /** A copy that is as long as it has to be. */
  toColumn(): Column {
    return this.#column.slice(0, this.length) as Column;
  }
}

export function integers(): Numbers<Int32Array> {
  return new Numbers((length) => new Int32Array(length));
}

export function floats(): Numbers<Float64Array> {
  return new Numbers((length) => new Float64Array(length));
}
