import { quantityMilliValue, quantityNumber, quantityValue } from '../api/quantity.ts';

// Absent counts as nothing.
export const quantity = (text: string | undefined): number => (text === undefined ? 0 : quantityNumber(text));
export const bytes = (text: string | undefined): number => (text === undefined ? 0 : quantityValue(text));
export const milli = (text: string | undefined): number => (text === undefined ? 0 : quantityMilliValue(text));
