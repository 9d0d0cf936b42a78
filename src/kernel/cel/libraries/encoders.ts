import { CelError } from '../cel-error.ts';
import { noOverload, overload, type Library, FIRST_TEXT_COST, maxOf } from '../functions.ts';
import { BYTES, STRING } from '../types.ts';
import type { Value } from '../values.ts';

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

export const ENCODERS: Library = {
  functions: [
    {
      name: 'base64.encode',
      overloads: [overload([BYTES], STRING)],
      call: (bytes: Value) => {
        if (!(bytes instanceof Uint8Array)) throw noOverload('base64.encode', bytes);
        return Buffer.from(bytes).toString('base64');
      },
      cost: {
        of: ([bytes]) => (bytes instanceof Uint8Array ? bytes.length / 10 : 0),
        worst: ([bytes]) => maxOf(bytes) / 10,
      },
      size: ([bytes]) => ({ max: 2 * maxOf(bytes) + 4 }),
    },
    {
      name: 'base64.decode',
      overloads: [overload([STRING], BYTES)],
      call: (text: Value) => {
        if (typeof text !== 'string') throw noOverload('base64.decode', text);
        if (!BASE64.test(text)) throw new CelError('illegal base64 data');
        return Uint8Array.from(Buffer.from(text, 'base64'));
      },
      cost: FIRST_TEXT_COST,
    },
  ],
};
