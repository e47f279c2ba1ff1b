"""Tests of what is instrumented beside the SDKs, with the real libraries."""
