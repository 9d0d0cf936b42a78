import { hash } from 'node:crypto';

export function digest(text: string): Buffer {
  return hash('sha256', text, 'buffer');
}
