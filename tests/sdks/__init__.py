"""The instruments of the SDKs, against servers on loopback that speak the providers' wire protocols."""
