import { z } from "zod";

/** A whole number in a query, from 0. */
export const wholeNumber = (most: number) =>
  z
    .string()
    .regex(/^\d{1,16}$/, "a whole number")
    .transform(Number)
    .refine((value) => Number.isSafeInteger(value) && value <= most, `at most ${most}`)
    .meta({ type: "integer", minimum: 0, maximum: most });

/** `?follow`, `?follow=true` or `?follow=false`. */
export const flag = z
  .enum(["true", "false", ""])
  .transform((text) => text !== "false")
  .meta({ type: "boolean" });
