import { namesOf } from '../scope.ts';
import { ENCODERS } from './encoders.ts';
import { FORMATS } from './formats.ts';
import { LISTS } from './lists.ts';
import { MATH } from './math.ts';
import { NETWORK } from './network.ts';
import { OPTIONALS } from './optionals.ts';
import { QUANTITIES } from './quantity.ts';
import { REGEX } from './regex.ts';
import { SEMVERS } from './semver.ts';
import { STANDARD } from './standard.ts';
import { STRINGS } from './strings.ts';
import { URLS } from './urls.ts';

/** All that expressions in Kubernetes 1.33 know, and the functions of numbers beside it. */
export const KUBERNETES = namesOf([
  STANDARD,
  OPTIONALS,
  STRINGS,
  ENCODERS,
  LISTS,
  FORMATS,
  REGEX,
  URLS,
  NETWORK,
  QUANTITIES,
  SEMVERS,
  MATH,
]);
