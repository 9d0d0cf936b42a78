/** How large values are at most: for the cost of what looks at all of it. */
export interface Size {
  /** Characters, bytes, elements. */
  readonly max: number;
  /** Of the elements, or the values of a map. */
  readonly item?: Size;
  /** Of the fields of an object. */
  readonly field?: (name: string) => Size;
}

/** A request is so large at most, and so is everything in it of which no schema says more. */
export const UNKNOWN_SIZE: Size = { max: 3 * 1024 * 1024 };
export const SMALL: Size = { max: 1 };

/** How large a value is that is one of two. */
export function largerSize(a: Size, b: Size): Size {
  const { field: left } = a;
  const { field: right } = b;
  return {
    max: Math.max(a.max, b.max),
    ...(a.item && b.item && { item: largerSize(a.item, b.item) }),
    ...(left && right && { field: (name: string) => largerSize(left(name), right(name)) }),
  };
}
