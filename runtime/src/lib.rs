//! Runs and trains hqcc programs.
